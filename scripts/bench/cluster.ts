import { delay } from "@std/async/delay";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { bootstrapCluster, bootstrapDatabase } from "../stack/bootstrap.ts";
import { databaseAddress, type PostgresOptions, startPostgres } from "../stack/postgres.ts";
import type { Contender } from "./contender.ts";

/** A PostgreSQL of the bench's own, in a folder that goes with it. */
export interface BenchCluster extends AsyncDisposable {
  superuser: Sql;
  /** A fresh copy of the database in which the contender made its tables. */
  databaseFor(contender: Contender): Promise<BenchDatabase>;
}

/** A database that is dropped on dispose. */
export interface BenchDatabase extends AsyncDisposable {
  /** Its address, as role `postgres`. */
  url: string;
  name: string;
  /** A folder that goes with the server. */
  dir: string;
  /** One more connection as role `postgres`. */
  connect(): Sql;
  superuser: Sql;
}

/** The same for every contender. Whatever is not named here is PostgreSQL's default. */
export const SETTINGS = {
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  jit: "off",
  shared_buffers: "512MB",
  // No checkpoint by time or size falls into one contender's turn and not into another's.
  checkpoint_timeout: "1h",
  max_wal_size: "8GB",
};

/** Starts it. A durable one: what a commit promises, it keeps. */
export async function startBenchCluster(
  options: Pick<PostgresOptions, "programs"> = {},
): Promise<BenchCluster> {
  await using started = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "dibs-bench-" });
  started.defer(() => Deno.remove(dir, { recursive: true }));
  const password = crypto.randomUUID();
  const server = await startPostgres({
    ...options,
    password,
    dir: join(dir, "postgres"),
    settings: SETTINGS,
  });
  const access = { port: server.port, password };
  started.defer(server.stop);
  const connect = (database: string, role: string) =>
    postgres(databaseAddress({ ...access, database, role }), { max: 1, onnotice: () => {} });
  const superuser = connect("postgres", "supabase_admin");
  started.defer(() => superuser.end({ timeout: 0 }));
  await bootstrapCluster(superuser, access.password);

  const templates = new Map<Contender["install"], string>();
  const parts = started.move();
  return { superuser, databaseFor, [Symbol.asyncDispose]: () => parts.disposeAsync() };

  async function databaseFor(contender: Contender): Promise<BenchDatabase> {
    if (!templates.has(contender.install)) {
      const template = `template_${templates.size}`;
      await superuser.unsafe(`create database ${template} owner postgres`);
      await using database = open(template, async () => {});
      await bootstrapDatabase(database.superuser, { regime: "hidden", standIns: false });
      await contender.install(database);
      templates.set(contender.install, template);
    }
    const name = `bench_${crypto.randomUUID().replaceAll("-", "")}`;
    const template = templates.get(contender.install);
    await superuser.unsafe(`create database ${name} template ${template} owner postgres`);
    return open(name, async () => {
      await untilUnused(superuser, name);
      await superuser.unsafe(`drop database ${name} with (force)`);
    });
  }

  function open(database: string, drop: () => Promise<void>): BenchDatabase {
    const opened = [connect(database, "supabase_admin")];
    return {
      url: databaseAddress({ ...access, database }),
      name: database,
      dir,
      superuser: opened[0],
      connect() {
        const sql = connect(database, "postgres");
        opened.push(sql);
        return sql;
      },
      async [Symbol.asyncDispose]() {
        await Promise.all(opened.map((sql) => sql.end({ timeout: 0 })));
        await drop();
      },
    };
  }
}

/** Pools of others close their connections some time after they say so. */
export async function untilUnused(superuser: Sql, database: string): Promise<void> {
  for (let polls = 0; polls < 500; polls++) {
    const others = await superuser`
      select from pg_stat_activity
      where datname = ${database} and backend_type = 'client backend' and pid <> pg_backend_pid()`;
    if (others.length === 0) return;
    await delay(2);
  }
}
