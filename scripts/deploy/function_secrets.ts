import { join } from "node:path";
import { Problem, problemFrom } from "./problem.ts";
import { CliError, supabase } from "./supabase_cli.ts";

/** What opens dispatch: the one in use, and beside it, while they are exchanged, the next one. */
export const DISPATCH_SECRET = "DIBS_DISPATCH_SECRET";
export const NEXT_DISPATCH_SECRET = "DIBS_NEXT_DISPATCH_SECRET";

/** The secrets that the functions of a project have. Only digests of them can be read. */
export class FunctionSecrets {
  readonly #ref: string;
  readonly #digests: Map<string, string>;

  private constructor(ref: string, digests: Map<string, string>) {
    this.#ref = ref;
    this.#digests = digests;
  }

  /** As they are now. This is where it shows whether the project may be managed. */
  static async of(ref: string): Promise<FunctionSecrets> {
    const list = ["secrets", "list", "--project-ref", ref, "--output", "json"];
    try {
      const { stdout } = await supabase(list);
      const listed: { name: string; value: string }[] = JSON.parse(stdout);
      return new FunctionSecrets(ref, new Map(listed.map(({ name, value }) => [name, value])));
    } catch (error) {
      throw error instanceof CliError ? accessProblem(error.message) : error;
    }
  }

  has(name: string): boolean {
    return this.#digests.has(name);
  }

  async holds(name: string, value: string): Promise<boolean> {
    return this.#digests.get(name) === await digestOf(value);
  }

  /** Sets them through a file of a moment: arguments can be read by everybody on this machine. */
  async set(secrets: Record<string, string>): Promise<void> {
    const dir = await Deno.makeTempDir({ prefix: "dibs-deploy-" });
    try {
      const file = join(dir, "secrets.env");
      const lines = Object.entries(secrets).map(([name, value]) =>
        `${name}=${quote(name, value)}\n`
      );
      await Deno.writeTextFile(file, lines.join(""), { mode: 0o600 });
      await supabase(["secrets", "set", "--env-file", file, "--project-ref", this.#ref]);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
    for (const [name, value] of Object.entries(secrets)) {
      this.#digests.set(name, await digestOf(value));
    }
  }

  async unset(name: string): Promise<void> {
    await supabase(["secrets", "unset", name, "--project-ref", this.#ref, "--yes"]);
    this.#digests.delete(name);
  }
}

function accessProblem(said: string): Problem {
  return problemFrom(said, [
    [/does not run/, "Install it: npm ci"],
    [
      /access token not provided|not logged in/i,
      "Run npx supabase login, or set SUPABASE_ACCESS_TOKEN (Dashboard → Account → Access Tokens).",
    ],
    [
      /invalid access token format/i,
      "SUPABASE_ACCESS_TOKEN begins with sbp_, and 40 characters follow.",
    ],
    [
      /unauthorized|401|jwt/i,
      "The access token is not valid, or not any more: make another (Dashboard → Account → Access Tokens).",
    ],
    [
      /forbidden|403|privilege/i,
      "This account may not manage the project: ask its owner for a role.",
    ],
    [
      /not found|404/i,
      "Is the project ref right? It is part of the project's address in the Dashboard.",
    ],
  ], "Is the network there? Run the same again.");
}

/** As the platform makes them. */
export async function digestOf(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(bytes).toHex();
}

/** In quotes between which nothing has a meaning of its own. */
function quote(name: string, value: string): string {
  const mark = ["'", "`"].find((mark) => !value.includes(mark));
  if (mark) return `${mark}${value}${mark}`;
  throw new Problem(
    `The value of ${name} has both ' and \` in it, which no file of secrets can hold.`,
    "Set it in the Dashboard, under Edge Functions → Secrets, and leave it out here.",
  );
}
