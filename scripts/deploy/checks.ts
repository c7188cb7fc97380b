import { git } from "../git.ts";
import { count } from "../numbers.ts";
import { listMigrations } from "../stack/migrations.ts";
import type { Deployment, Outcome, Step } from "./deployment.ts";
import { FunctionSecrets } from "./function_secrets.ts";
import { configuredFunctions, presentFunctions } from "./functions.ts";
import { Problem, problemFrom } from "./problem.ts";
import { supabase } from "./supabase_cli.ts";

/** Whether everything is at hand, before anything is changed. */
export const checks: Step = { name: "checks", says: "Checking", run: check };

async function check({ ref, sql }: Deployment): Promise<Outcome> {
  const { stdout: version } = await supabase(["--version"]).catch((error) => {
    throw new Problem(error.message, "Install it: npm ci");
  });
  const functions = await checkConfig();
  const migrations = await listMigrations();
  await FunctionSecrets.of(ref).catch((error) => {
    throw accessProblem(error.message);
  });
  const server = await checkDatabase(sql);
  return {
    did: [
      await describeTree(),
      `Supabase CLI ${version.trim()} may manage ${ref}`,
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

function accessProblem(said: string): Problem {
  return problemFrom(said, [
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

async function describeTree(): Promise<string> {
  const commit = await git("rev-parse", "--short", "HEAD");
  if (!commit) return "what is deployed is in no git repository";
  const changed = (await git("status", "--porcelain")).split("\n").filter(Boolean);
  return changed.length === 0
    ? `working tree clean at ${commit}`
    : `working tree DIRTY: ${count(changed.length, "path")} beside commit ${commit}`;
}
