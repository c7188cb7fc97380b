import { git } from "../git.ts";
import { count } from "../numbers.ts";
import { listMigrations } from "../stack/migrations.ts";
import type { Deployment, Outcome, Step } from "./deployment.ts";
import { configuredFunctions, presentFunctions } from "./functions.ts";
import { Problem } from "./problem.ts";

/** Whether everything is at hand, before anything is changed. */
export const checks: Step = { name: "checks", says: "Checking", run: check };

async function check({ ref, sql }: Deployment): Promise<Outcome> {
  const functions = await checkConfig();
  const migrations = await listMigrations();
  const server = await checkDatabase(sql);
  return {
    did: [
      await describeTree(),
      `the Supabase CLI may manage ${ref}`,
      `${count(migrations.length, "migration")}, ${count(functions.length, "function")}`,
      `PostgreSQL ${server} answers`,
    ],
  };
}

/** Every function, each with a door of its own: the gateway's would let no secret key through. */
async function checkConfig(): Promise<string[]> {
  const configured = await configuredFunctions();
  const names = configured.map(({ name }) => name);
  const missing = (await presentFunctions()).filter((name) => !names.includes(name));
  const guarded = configured.filter(({ verifyJwt }) => verifyJwt).map(({ name }) => name);
  if (missing.length + guarded.length > 0) {
    throw new Problem(
      [
        ...missing.map((name) => `supabase/config.toml has no [functions.${name}].`),
        ...guarded.map((name) => `[functions.${name}] lacks verify_jwt = false.`),
      ].join("\n"),
      "Complete supabase/config.toml as the other functions there show.",
    );
  }
  return names;
}

async function checkDatabase(sql: Deployment["sql"]): Promise<string> {
  const [{ server, is_owner }] = await sql`
    select current_setting('server_version') as server,
      pg_has_role(current_user, 'postgres', 'usage') as is_owner`;
  if (is_owner) return server;
  throw new Problem(
    "The address of the database is one of a role that is not postgres.",
    "Take the one of the role postgres: Dashboard → Connect.",
  );
}

async function describeTree(): Promise<string> {
  const commit = await git("rev-parse", "--short", "HEAD");
  if (!commit) return "what is deployed is in no git repository";
  const changed = (await git("status", "--porcelain")).split("\n").filter(Boolean);
  return changed.length === 0
    ? `working tree clean at ${commit}`
    : `working tree DIRTY: ${count(changed.length, "path")} beside commit ${commit}`;
}
