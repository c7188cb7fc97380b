import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { retry } from "../../functions/_shared/retry.ts";
import { ApiError } from "../../functions/_shared/errors.ts";
import { findStack } from "../stack/find_stack.ts";
import { PROJECT_DIR } from "../stack/migrate.ts";
import { EXIT, Failure } from "./exit_codes.ts";
import { withIsoTimes } from "./times.ts";

export interface Where {
  url?: string;
  state?: string;
}

export const DEFAULT_STATE = `${PROJECT_DIR}.dibs`;

/** A little more than the 8 s that the data API gives a statement. */
const TIMEOUT_MS = 10_000;

/** Finds the project that is meant: one that was named, by flag or environment, else the local stack. */
export async function findProject({ url: flag, state = DEFAULT_STATE }: Where): Promise<Project> {
  const url = (flag ?? Deno.env.get("SUPABASE_URL") ?? "").replace(/\/+$/, "");
  if (url && !/^https?:\/\//.test(url) || url && !URL.canParse(url)) {
    const from = flag === undefined ? "the environment variable SUPABASE_URL" : "--url";
    throw new Failure(
      EXIT.wrongUse,
      `${from} is not a URL.`,
      "Give it as https://<ref>.supabase.co.",
    );
  }
  const stack = await findStack(state);
  if (!url && !stack) {
    throw new Failure(
      EXIT.unreachable,
      `No stack runs in ${state}, and no project was given.`,
      "Start one with `npm start`, or name a hosted one: SUPABASE_URL (or --url) and SUPABASE_SECRET_KEY.",
    );
  }
  const isLocal = !url || url === stack?.url;
  const given = url ? Deno.env.get("SUPABASE_SECRET_KEY") : undefined;
  const secretKey = given || (isLocal ? stack!.secretKey : undefined);
  if (!secretKey) {
    throw new Failure(
      EXIT.unreachable,
      `There is no key for ${url}: SUPABASE_SECRET_KEY is not set.`,
      "It is a secret key, sb_secret_… (Dashboard → Settings → API Keys).",
    );
  }
  const databaseUrl = Deno.env.get("SUPABASE_DB_URL") || undefined;
  return isLocal
    ? new Project(stack!.url, secretKey, true, stack!.databaseUrl)
    : new Project(url, secretKey, false, databaseUrl);
}

/** A project, as any client with a secret key sees it. */
export class Project {
  readonly #supabase: SupabaseClient;

  constructor(
    readonly url: string,
    readonly secretKey: string,
    readonly isLocal: boolean,
    readonly databaseUrl?: string,
  ) {
    const auth = { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false };
    this.#supabase = createClient(url, secretKey, { auth });
  }

  get name(): string {
    return `${this.isLocal ? "the local stack" : "the project"} at ${this.url}`;
  }

  /** What a function answers that changes nothing, or that may be repeated. */
  async read<T>(name: string, args: Record<string, unknown> = {}): Promise<T> {
    return await retry(() => this.#once<T>(name, args), {
      isRetryable: (error) => error instanceof Busy,
      attempts: 3,
    });
  }

  /** The same, asked once: who knows what came of a call without an answer? */
  async write<T>(name: string, args: Record<string, unknown> = {}): Promise<T> {
    return await this.#once<T>(name, args);
  }

  /** One row of the view `tasks`. */
  async task(id: string): Promise<Record<string, unknown> | null> {
    const { data, error, status } = await this.#supabase.from("tasks").select("*").eq("id", id)
      .retry(false).abortSignal(AbortSignal.timeout(TIMEOUT_MS)).maybeSingle();
    if (error) throw this.#failure(error, status);
    return withIsoTimes(data);
  }

  async #once<T>(name: string, args: Record<string, unknown>): Promise<T> {
    const { data, error, status } = await this.#supabase.rpc(name, args).retry(false)
      .abortSignal(AbortSignal.timeout(TIMEOUT_MS));
    if (error) throw this.#failure(error, status);
    return withIsoTimes(data as T);
  }

  #failure(error: { code?: string; message: string; hint?: string | null }, status: number) {
    const { code } = error;
    if (status === 401 || status === 403) {
      return new Failure(
        EXIT.unreachable,
        `The key is refused by ${this.name}.`,
        "SUPABASE_SECRET_KEY must be a secret key of this project, sb_secret_… (Dashboard → Settings → API Keys).",
      );
    }
    if (code === "PGRST202" || code === "PGRST205" || code === "42883") {
      return new Failure(
        EXIT.failed,
        `Dibs is not in ${this.name}, or an older version of it.`,
        "Apply its migrations: `npm run deploy`, or `supabase db push`.",
      );
    }
    const known = ApiError.fromDatabase(error, status);
    if (known.code === "unavailable") {
      const what = code ? "is busy" : "does not answer";
      const hint = this.isLocal ? "Does `npm start` still run?" : "Is the address right?";
      return new Busy(EXIT.unreachable, `${capital(this.name)} ${what}.`, code ? known.hint : hint);
    }
    const exit = known.code === "not_found"
      ? EXIT.nothing
      : known.code === "bad_request"
      ? EXIT.wrongUse
      : EXIT.failed;
    return new Failure(exit, known.message, known.hint);
  }
}

/** It may be well a moment later. */
class Busy extends Failure {}

function capital(text: string): string {
  return text[0].toUpperCase() + text.slice(1);
}
