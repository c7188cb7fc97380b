import type { Sql } from "postgres";
import type { Check } from "../screen.ts";
import type { Confidential } from "./confidential.ts";
import { connect, type Database, findDatabase } from "./database.ts";
import { FunctionSecrets } from "./function_secrets.ts";
import { givenSecrets } from "./given_secrets.ts";
import { type ManagementApi, managementApi } from "./management_api.ts";
import { findPlatform } from "./platform.ts";

/** What the command line says of a deployment. */
export interface DeploymentOptions {
  projectRef: string;
  projectUrl?: string;
  databaseUrl?: string;
  envFile?: string;
  dryRun?: boolean;
  wait: number;
}

/** A project, and how to reach every part of it. */
export interface Deployment {
  ref: string;
  /** Where /rest/v1 and /functions/v1 are. */
  url: string;
  database: Database;
  sql: Sql;
  api: ManagementApi | null;
  /** What the functions find in their environment. */
  secrets: FunctionSecrets;
  /** What they are to find there, as far as it was given. */
  given: Record<string, string>;
  /** What the database is to call dispatch with, once the secrets are settled. */
  dispatchSecret: string | null;
  confidential: Confidential;
  dryRun: boolean;
  /** How long to wait for what takes its time. */
  waitMs: number;
  signal: AbortSignal;
}

/** One of the things a deployment does. Done again, it changes nothing that need not be. */
export interface Step {
  name: string;
  /** What goes on, for people. */
  says: string;
  /** Does it, or tells what it would do. */
  run(deployment: Deployment): Promise<Outcome>;
}

/** What was done, a line each, and what was found when it was looked at. */
export interface Outcome {
  did: string[];
  verified?: Verified[];
}

export interface Verified extends Check {
  mend: string;
}

/** Finds the project's parts, and whether it may be managed. */
export async function openDeployment(
  options: DeploymentOptions,
  confidential: Confidential,
  signal: AbortSignal,
): Promise<Deployment & AsyncDisposable> {
  const { projectRef: ref, dryRun = false, wait } = options;
  const platform = await findPlatform();
  const given = await givenSecrets(options.envFile);
  Object.values(given).forEach((value) => confidential.keep(value));
  const api = await managementApi({ apiUrl: platform.apiUrl, ref, confidential });
  const database = await findDatabase({
    ref,
    platform,
    api,
    address: options.databaseUrl ?? Deno.env.get("SUPABASE_DB_URL"),
    password: Deno.env.get("SUPABASE_DB_PASSWORD"),
  });
  confidential.keep(database.password);
  const secrets = await FunctionSecrets.of(ref);
  const sql = connect(database);
  return {
    ref,
    url: (options.projectUrl ?? `https://${ref}.${platform.projectHost}`).replace(/\/+$/, ""),
    database,
    sql,
    api,
    secrets,
    given,
    dispatchSecret: null,
    confidential,
    dryRun,
    waitMs: wait * 1_000,
    signal,
    [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }),
  };
}
