import { join } from "node:path";
import os from "node:os";
import { git } from "../git.ts";
import { PROJECT_DIR } from "../stack/migrate.ts";
import { type BenchCluster, SETTINGS } from "./cluster.ts";

/** Where, with what and on which code a bench ran. */
export async function describeEnvironment({ superuser }: BenchCluster) {
  const [{ server_version }] = await superuser`show server_version`;
  const [available] = await superuser`
    select default_version from pg_available_extensions where name = 'pgq'`;
  const named = Object.keys(SETTINGS);
  const settings = await superuser`
    select name, current_setting(name) as setting from pg_settings
    where name = any (${named}) or name like 'autovacuum%' or source = 'command line'
    order by name`;
  const cpus = os.cpus();
  return {
    machine: {
      cpu: cpus[0]?.model,
      cores: cpus.length,
      memory_gib: Math.round(os.totalmem() / 2 ** 30),
      os: `${os.type()} ${os.release()}`,
      fsync_microseconds: await measureFsync(),
      load_before: os.loadavg()[0],
    },
    versions: {
      postgres: server_version,
      deno: Deno.version.deno,
      pgmq: await pgmqVersion(),
      pgq: available?.default_version ?? null,
      ...await packageVersions(),
    },
    settings: Object.fromEntries(settings.map(({ name, setting }) => [name, setting])),
    commit: await git("rev-parse", "HEAD"),
    changed_files:
      (await git("status", "--porcelain", "--", "scripts/bench", "supabase/migrations"))
        .split("\n").filter(Boolean).length,
  };
}

/** What making one page durable takes; next to nothing where the disk is memory. */
async function measureFsync(): Promise<number> {
  const path = await Deno.makeTempFile({ prefix: "dibs-bench-" });
  const times = [];
  try {
    using file = await Deno.open(path, { write: true });
    for (let i = 0; i < 51; i++) {
      const began = performance.now();
      file.writeSync(new Uint8Array(8192));
      file.syncDataSync();
      times.push(performance.now() - began);
    }
  } finally {
    await Deno.remove(path);
  }
  return Math.round(times.sort((a, b) => a - b)[25] * 1000);
}

/** The npm packages a contender is made of; package.json pins them. */
async function packageVersions(): Promise<Record<string, string>> {
  const { dependencies, devDependencies } = JSON.parse(
    await Deno.readTextFile(join(PROJECT_DIR, "package.json")),
  );
  const pinned: Record<string, string> = { ...dependencies, ...devDependencies };
  const names = [
    "postgres",
    "graphile-worker",
    "pg-boss",
    "@supabase/supabase-js",
    "@supabase/lite",
  ];
  return Object.fromEntries(names.map((name) => [`npm:${name}`, pinned[name]]));
}

/** Its file does not say its version, but is like no other version's. */
async function pgmqVersion(): Promise<string | null> {
  const path = Deno.env.get("PGMQ_SQL");
  if (!path) return null;
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return `file with SHA-256 ${new Uint8Array(digest).toHex()}`;
}
