// A hosted project on this machine: a real database and data API, and a Management API to which functions
// and secrets are uploaded that then run here.
import assert from "node:assert/strict";
import { homedir } from "node:os";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import type { Stack } from "../../scripts/stack/stack.ts";
import { type Command, runCommand } from "./command.ts";
import { deployedFunctions } from "./deployed_functions.ts";
import { type ManagementApi, managementApi } from "./management_api.ts";
import { scratchProject } from "./project.ts";
import { testStack } from "./stack.ts";

export const REF = "abcdefghijklmnopqrst";
const TOKEN = `sbp_${"0123456789abcdef".repeat(3).slice(0, 40)}`;

export interface HostedProject extends AsyncDisposable {
  /** Where /rest/v1 and /functions/v1 are. */
  url: string;
  api: ManagementApi;
  stack: Stack;
  /** As role `postgres`. */
  sql: Sql;
  /** The database's address, without its password. */
  databaseUrl: string;
  /** For how many milliseconds functions run on with the secrets they had. */
  lagMs: number;
  /** Runs `npm run deploy` for it, with more arguments and another environment. */
  deploy(args?: string[], env?: Record<string, string>): Command;
  /** All that these have printed. */
  printed(): string;
  /** What nobody may find in there. */
  confidential: string[];
}

/** A project that nothing was deployed to yet. */
export async function hostedProject(): Promise<HostedProject> {
  await using parts = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "dibs-test-hosted-" });
  parts.defer(() => Deno.remove(dir, { recursive: true }));
  parts.defer(forgetProject);
  const nothing = parts.use(await scratchProject({}));
  const stack = parts.use(await testStack({ projectDir: nothing.dir }));
  const sql = postgres(stack.databaseUrl, { max: 2, onnotice: () => {} });
  parts.defer(() => sql.end({ timeout: 1 }));
  await sql`drop schema supabase_migrations cascade`;
  await sql`delete from vault.secrets where true`;
  const database = new URL(stack.databaseUrl);
  const { password } = database;
  database.password = "";

  const api = parts.use(managementApi({
    ref: REF,
    token: TOKEN,
    secretKey: stack.secretKey,
    publishableKey: stack.publishableKey,
    pooler: {
      db_user: "postgres",
      db_host: database.hostname,
      db_port: Number(database.port),
      db_name: "postgres",
    },
  }));
  const gateway = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname.startsWith("/functions/v1/")) return functions.fetch(request);
    const { method, headers, body } = request;
    return fetch(stack.url + pathname + search, { method, headers, body });
  });
  parts.defer(() => gateway.shutdown());
  const url = `http://127.0.0.1:${gateway.addr.port}`;
  const functions = deployedFunctions(dir, {
    SUPABASE_JWKS: JSON.stringify({ keys: [] }),
    SUPABASE_URL: url,
    SUPABASE_DB_URL: stack.databaseUrl,
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
  });
  parts.defer(() => functions.stop());

  const profile = join(dir, "profile.yaml");
  await Deno.writeTextFile(
    profile,
    `name: test\napi_url: ${api.url}\ndashboard_url: ${api.url}\nproject_host: project.invalid\n`,
  );
  const commands: Command[] = [];
  const all = parts.move();
  const project: HostedProject = {
    url,
    api,
    stack,
    sql,
    databaseUrl: database.href,
    lagMs: 0,
    deploy(args = [], env = {}) {
      const given = ["--project-ref", REF, "--project-url", url, "--wait", "20", "--json"];
      const command = runCommand("scripts/deploy.ts", [...given, ...args], {
        HOME: dir,
        DENO_DIR: Deno.env.get("DENO_DIR") ?? join(homedir(), ".cache/deno"),
        SUPABASE_ACCESS_TOKEN: TOKEN,
        SUPABASE_PROFILE: profile,
        SUPABASE_DB_URL: database.href,
        SUPABASE_DB_PASSWORD: password,
        SUPABASE_SECRET_KEY: "",
        ...env,
      });
      commands.push(command);
      return command;
    },
    printed: () => commands.map(({ output }) => output.stdout + output.stderr).join("\n"),
    get confidential() {
      return [TOKEN, password, stack.secretKey, ...api.values];
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
  api.changed = async (request) => {
    if (request === "PUT functions") await functions.deploy(api.uploads.values(), api.secrets);
    if (request.endsWith(" secrets")) await functions.changeSecrets(api.secrets, project.lagMs);
  };
  return project;
}

/** What a deployment prints with --json. */
export interface Result {
  ok: boolean;
  dry_run: boolean;
  interrupted: boolean;
  steps: { step: string; did: string[] }[];
  verified: { what: string; passed: boolean; found: string }[];
  failed: { step: string; message: string; mend: string } | null;
}

/** How a deployment ended: one line of JSON on standard output, everything else beside it. */
export async function ended(
  command: Command,
): Promise<{ code: number; result: Result; said: string }> {
  const code = await command.ended;
  const { stdout, stderr } = command.output;
  assert.match(stdout, /^\{.*\}\n$/, stderr);
  return { code, result: JSON.parse(stdout), said: stderr };
}

/** What the Vault holds, by name. */
export async function vaultOf({ sql }: HostedProject): Promise<Record<string, string>> {
  const rows = await sql`select name, decrypted_secret from vault.decrypted_secrets order by name`;
  return Object.fromEntries(rows.map(({ name, decrypted_secret }) => [name, decrypted_secret]));
}

/** The CLI notes which project it was last used for. */
async function forgetProject(): Promise<void> {
  const note = join(PROJECT_DIR, "supabase/.temp/linked-project.json");
  const text = await Deno.readTextFile(note).catch(() => "");
  if (text.includes(REF)) await Deno.remove(note).catch(() => {});
}
