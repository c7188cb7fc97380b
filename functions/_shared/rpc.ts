import { createAdminClient } from "@supabase/server/core";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { type Clock, systemClock } from "./clock.ts";
import { env } from "./env.ts";
import { ApiError } from "./errors.ts";
import { retry } from "./retry.ts";
import { type Args, type Result, type SqlFunction, sqlFunctions } from "./schemas.ts";

export interface CallOptions {
  signal?: AbortSignal;
  /** How often in all, when the call may be repeated. */
  attempts?: number;
}

/** The one way from TypeScript to the database: SQL functions by name, arguments by name. */
export interface Rpc {
  readonly supabase: SupabaseClient;
  /** Parsed results, or an ApiError. Repeats a call that failed for a passing reason if that is safe. */
  call<F extends SqlFunction>(name: F, args: Args<F>, options?: CallOptions): Promise<Result<F>>;
  /** A SQL function of yours that may be repeated: what it returns, as it comes. */
  callYours(name: string, args: Record<string, unknown>, options?: CallOptions): Promise<unknown>;
}

export interface RpcOptions {
  /** A little more than the 8 s that the data API gives a statement. */
  timeoutMs?: number;
  clock?: Clock;
}

export function createRpc(supabase: SupabaseClient, options: RpcOptions = {}): Rpc {
  const { timeoutMs = 10_000, clock = systemClock } = options;
  const patiently = <T>(
    call: (signal: AbortSignal) => Promise<T>,
    repeatable: boolean,
    { signal, attempts = 3 }: CallOptions = {},
  ) =>
    retry(() => call(anySignal(signal, timeoutMs)), {
      isRetryable: (error) => repeatable && ApiError.from(error).retryable,
      attempts,
      signal,
      clock,
    });
  return {
    supabase,
    call: (name, args, options) =>
      patiently((signal) => callOnce(supabase, name, args, signal), mayRepeat(name, args), options),
    callYours: (name, args, options) =>
      patiently((signal) => send(supabase, name, args, signal), true, options),
  };
}

let shared: Rpc | undefined;

/** Inside a function: with the keys of the platform's environment, which last as long as the isolate. */
export function functionRpc(): Rpc {
  env.supabaseUrl();
  env.secretKey();
  return shared ??= createRpc(createAdminClient() as unknown as SupabaseClient);
}

/** Anywhere else: with a project's URL and secret key. */
export function remoteRpc(url: string, secretKey: string, options?: RpcOptions): Rpc {
  const auth = { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false };
  return createRpc(createClient(url, secretKey, { auth }), options);
}

async function callOnce<F extends SqlFunction>(
  supabase: SupabaseClient,
  name: F,
  args: Args<F>,
  signal: AbortSignal,
): Promise<Result<F>> {
  const result = sqlFunctions[name].result.safeParse(await send(supabase, name, args, signal));
  if (result.success) return result.data as Result<F>;
  // Functions of a newer version answering an older database, or the other way round.
  throw new ApiError(
    "misconfigured",
    `The database answers ${name} in a way this version does not know.`,
    {
      hint: "Apply this version's migrations: supabase db push.",
      cause: result.error,
    },
  );
}

async function send(
  supabase: SupabaseClient,
  name: string,
  args: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const { data, error, status } = await supabase.rpc(name, args).retry(false).abortSignal(signal);
  if (error) throw ApiError.fromDatabase(error, status);
  return data;
}

function mayRepeat<F extends SqlFunction>(name: F, args: Args<F>): boolean {
  const { repeat } = sqlFunctions[name];
  return repeat === "always" ||
    repeat === "with_request_id" && "p_request_id" in args && Boolean(args.p_request_id);
}

function anySignal(signal: AbortSignal | undefined, timeoutMs: number): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}
