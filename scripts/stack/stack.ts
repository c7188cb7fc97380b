import { join, resolve } from "node:path";
import postgres from "postgres";
import { keepInVault } from "../vault.ts";
import { bootstrapCluster, bootstrapDatabase, type DatabaseOptions } from "./bootstrap.ts";
import { startMailSink } from "./mail_sink.ts";
import { migrate, PROJECT_DIR } from "./migrate.ts";
import { type HeldPort, holdPort } from "./ports.ts";
import {
  databaseAddress,
  endLeftoverServer,
  type PostgresOptions,
  startPostgres,
} from "./postgres.ts";
import { keepRunning, startProgram } from "./processes.ts";
import { loadSecrets } from "./secrets.ts";
import { runStandIns } from "./stand_ins.ts";

/** What a stack is started with; everything has a default. */
export interface StackOptions extends Partial<DatabaseOptions> {
  /** The one folder that holds all of its state. */
  stateDir?: string;
  /** The port it would like to serve on. */
  port?: number;
  /** Begin without the data that is there. */
  fresh?: boolean;
  /** Where supabase/ is. */
  projectDir?: string;
  /** A module to load before the functions, which know nothing of it, environment for both, and another Deno. */
  functions?: { preload?: string; env?: Record<string, string>; deno?: string };
  /** Another PostgreSQL, or settings beyond the usual ones. */
  postgres?: Pick<PostgresOptions, "programs" | "settings">;
  /** Is told what is going on, for people. */
  onProgress?: (message: string) => void;
}

/** A running stack: a Supabase project on this machine. */
export interface Stack {
  /** Where /rest/v1 and /functions/v1 are. */
  url: string;
  /** The database as role `postgres`. */
  databaseUrl: string;
  /** The database as its superuser, which hosted projects do not give away. */
  adminDatabaseUrl: string;
  secretKey: string;
  publishableKey: string;
  dispatchSecret: string;
  /** Signs tokens of users, as far as the data API is concerned. */
  jwtSecret: string;
  /** Where the mail sink takes emails and tells of them. */
  mailUrl: string;
  stateDir: string;
  /** The processes it consists of, as they are now. */
  readonly pids: { postgres: number; functions: number; gateway: number };
  /** Ends all of it. */
  stop(): Promise<void>;
}

/**
 * Starts a Supabase project in a folder: a real PostgreSQL with a hosted project's roles, the
 * migrations, the data API and the functions on one port, stand-ins for pg_cron, pg_net and
 * Vault, and a mail sink. A second start in the same folder finds the data of the first.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { port = 54321, projectDir = PROJECT_DIR, regime = "hidden", standIns = true } = options;
  const progress = options.onProgress ?? (() => {});
  const stateDir = resolve(options.stateDir ?? join(PROJECT_DIR, ".dibs"));
  const inState = (name: string) => join(stateDir, name);
  await using started = new AsyncDisposableStack();

  started.use(await lock(stateDir));
  if (options.fresh) await erase(stateDir);
  const secrets = await loadSecrets(inState("secrets.json"));
  const password = secrets.databasePassword;
  // Gateway and functions each need to know the other's port before it is there.
  using gatewayPort = holdPublicPort(port, progress);
  using functionsPort = holdPort();
  const url = `http://127.0.0.1:${gatewayPort.port}`;

  progress("Starting PostgreSQL");
  const server = await keepRunning((port) =>
    startPostgres({ ...options.postgres, dir: inState("postgres"), port, password })
  );
  started.defer(() => server.stop());
  const at = { port: server.port, password };
  const databaseUrl = databaseAddress(at);
  const adminDatabaseUrl = databaseAddress({ ...at, role: "supabase_admin" });
  await prepareDatabase(adminDatabaseUrl, password, { regime, standIns });

  progress("Applying migrations");
  await migrate(databaseUrl, projectDir);
  if (standIns) {
    await keepVaultSecrets(databaseUrl, {
      dibs_project_url: url,
      dibs_dispatch_secret: secrets.dispatchSecret,
    });
  }

  progress("Starting the data API and the functions");
  const mail = await startMailSink(inState("emails.jsonl"));
  started.defer(() => mail.stop());
  gatewayPort.release();
  const gateway = await keepRunning(() =>
    startProgram({
      program: "gateway.ts",
      port: gatewayPort.port,
      log: inState("gateway.log"),
      env: {
        DIBS_DATABASE_URL: databaseUrl,
        DIBS_FUNCTIONS_URL: `http://127.0.0.1:${functionsPort.port}`,
        DIBS_PUBLISHABLE_KEY: secrets.publishableKey,
        DIBS_SECRET_KEY: secrets.secretKey,
        DIBS_JWT_SECRET: secrets.jwtSecret,
      },
    })
  );
  started.defer(() => gateway.stop());
  functionsPort.release();
  const functions = await keepRunning(() =>
    startProgram({
      program: "functions.ts",
      port: functionsPort.port,
      log: inState("functions.log"),
      preload: options.functions?.preload,
      deno: options.functions?.deno,
      env: {
        SUPABASE_JWKS: JSON.stringify({ keys: [] }),
        ...options.functions?.env,
        SUPABASE_URL: url,
        SUPABASE_DB_URL: databaseUrl,
        SUPABASE_SECRET_KEYS: JSON.stringify({ default: secrets.secretKey }),
        SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: secrets.publishableKey }),
        DIBS_DISPATCH_SECRET: secrets.dispatchSecret,
        DIBS_MAIL_URL: mail.url,
        DIBS_SUPABASE_DIR: join(projectDir, "supabase"),
      },
    })
  );
  started.defer(() => functions.stop());
  if (standIns) {
    const running = runStandIns(adminDatabaseUrl, databaseUrl);
    started.defer(() => running.stop());
  }

  const told = { pid: Deno.pid, url, databasePort: server.port };
  await Deno.writeTextFile(inState("stack.json"), JSON.stringify(told));
  const parts = started.move();
  return {
    url,
    databaseUrl,
    adminDatabaseUrl,
    secretKey: secrets.secretKey,
    publishableKey: secrets.publishableKey,
    dispatchSecret: secrets.dispatchSecret,
    jwtSecret: secrets.jwtSecret,
    mailUrl: mail.url,
    stateDir,
    get pids() {
      return { postgres: server.pid, functions: functions.pid, gateway: gateway.pid };
    },
    stop: () => parts.disposeAsync(),
  };
}

/** One stack per folder: the lock goes with its holder, however that ends. */
async function lock(stateDir: string): Promise<Disposable> {
  await Deno.mkdir(stateDir, { recursive: true });
  const file = await Deno.open(join(stateDir, "lock"), { create: true, write: true });
  if (await file.tryLock(true)) return file;
  file.close();
  const other = await Deno.readTextFile(join(stateDir, "stack.json")).catch(() => null);
  const { url, pid } = other ? JSON.parse(other) : { url: "(still starting)", pid: "unknown" };
  throw new Error(
    `A stack is already running in ${stateDir}: ${url} (process ${pid}). ` +
      "Stop it, or choose another folder.",
  );
}

async function erase(stateDir: string): Promise<void> {
  await endLeftoverServer(join(stateDir, "postgres"));
  for await (const { name } of Deno.readDir(stateDir)) {
    if (name !== "lock") await Deno.remove(join(stateDir, name), { recursive: true });
  }
}

function holdPublicPort(wished: number, progress: (message: string) => void): HeldPort {
  const held = holdPort(wished);
  if (held.port !== wished && wished !== 0) {
    progress(`Port ${wished} is taken, using ${held.port}`);
  }
  return held;
}

async function prepareDatabase(url: string, password: string, options: DatabaseOptions) {
  const superuser = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await bootstrapCluster(superuser, password);
    await bootstrapDatabase(superuser, options);
  } finally {
    await superuser.end();
  }
}

async function keepVaultSecrets(url: string, secrets: Record<string, string>): Promise<void> {
  const sql = postgres(url, { max: 1 });
  try {
    for (const [name, value] of Object.entries(secrets)) await keepInVault(sql, name, value);
  } finally {
    await sql.end();
  }
}
