import { join } from "node:path";
import { Problem } from "./problem.ts";
import { supabase } from "./supabase_cli.ts";

/** What opens dispatch: the one in use, and beside it, while they are exchanged, the next one. */
export const DISPATCH_SECRET = "DIBS_DISPATCH_SECRET";
export const NEXT_DISPATCH_SECRET = "DIBS_NEXT_DISPATCH_SECRET";

/** The secrets that the functions of a project have. Only digests of them can be read. */
export class FunctionSecrets {
  private constructor(readonly ref: string, readonly digests: ReadonlyMap<string, string>) {}

  static async of(ref: string): Promise<FunctionSecrets> {
    const { stdout } = await supabase([
      "secrets",
      "list",
      "--project-ref",
      ref,
      "--output",
      "json",
    ]);
    const listed: { name: string; value: string }[] = JSON.parse(stdout);
    return new FunctionSecrets(ref, new Map(listed.map(({ name, value }) => [name, value])));
  }

  has(name: string): boolean {
    return this.digests.has(name);
  }

  async holds(name: string, value: string): Promise<boolean> {
    return this.digests.get(name) === await digestOf(value);
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
      await supabase(["secrets", "set", "--env-file", file, "--project-ref", this.ref]);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  }

  async unset(name: string): Promise<void> {
    await supabase(["secrets", "unset", name, "--project-ref", this.ref, "--yes"]);
  }
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
