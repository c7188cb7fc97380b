import postgres, { type Sql } from "postgres";
import type { Regime } from "../../scripts/stack/bootstrap.ts";
import { databaseAddress } from "../../scripts/stack/postgres.ts";
import { type Cluster, CLUSTER_VARIABLE, connectSuperuser, createDatabase } from "./cluster.ts";
import { retrying } from "./retrying.ts";

type Role = "anon" | "authenticated" | "service_role" | "supabase_admin";

/** A database of a test's own. Use it as `await using db = await freshDatabase()`. */
export interface TestDatabase extends AsyncDisposable {
  /** Its address, as role `postgres`. */
  url: string;
  /** Its address, as the superuser. */
  adminUrl: string;
  /** A small pool as role `postgres`. */
  sql: Sql;
  /** One connection that works as another role. */
  as(role: Role): Sql;
  /** One more connection as role `postgres`, for holding locks against the others. */
  connect(): Sql;
}

/**
 * A fresh database, migrated unless told otherwise, dropped on dispose together with every
 * connection handed out.
 */
export async function freshDatabase(
  { regime = "hidden", migrated = true, standIns = true }: {
    regime?: Regime;
    migrated?: boolean;
    /** Without migrations only: whether pg_cron, pg_net and Vault are stood in for. */
    standIns?: boolean;
  } = {},
): Promise<TestDatabase> {
  const cluster = findCluster();
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  if (migrated) await clone(cluster, regime, name);
  else await createDatabase(cluster, name, { regime, standIns });

  const opened: Sql[] = [];
  const open = ({ role, max = 1 }: { role?: Role; max?: number } = {}) => {
    const sql = connect(cluster, name, role, max);
    opened.push(sql);
    return cluster.isolation ? retrying(sql, noteRetry) : sql;
  };
  return {
    url: databaseAddress({ ...cluster, database: name }),
    adminUrl: databaseAddress({ ...cluster, role: "supabase_admin", database: name }),
    sql: open({ max: 3 }),
    as: (role) => open({ role }),
    connect: () => open(),
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((sql) => sql.end({ timeout: 0 })));
      await using superuser = connectSuperuser(cluster, "postgres");
      await superuser.sql.unsafe(`drop database ${name} with (force)`);
    },
  };
}

/** How the cluster of this run is reached. */
export function findCluster(): Cluster {
  const address = Deno.env.get(CLUSTER_VARIABLE);
  if (!address) {
    throw new Error(
      "This test needs a database cluster. Run it as `npm test -- <part of its file name>`.",
    );
  }
  return JSON.parse(address);
}

async function clone(cluster: Cluster, template: string, name: string): Promise<void> {
  await using superuser = connectSuperuser(cluster, "postgres");
  await superuser.sql.unsafe(`create database ${name} template ${template} owner postgres`);
}

function connect(
  { port, password, poolerPort }: Cluster,
  database: string,
  role: Role | undefined,
  max: number,
): Sql {
  const options = { max, onnotice: () => {} };
  if (poolerPort) {
    const url = databaseAddress({ port: poolerPort, password, role, database });
    // The next statement may go over another connection, which knows none prepared on this one.
    return postgres(url, { ...options, prepare: false });
  }
  if (role === "supabase_admin") {
    return postgres(databaseAddress({ port, password, role, database }), options);
  }
  const connection = role ? { role } : {};
  return postgres(databaseAddress({ port, password, database }), { ...options, connection });
}

/** Shows in the output of the tests that transactions are as strict as they are said to be. */
function noteRetry(): void {
  retries++;
}
let retries = 0;
addEventListener("unload", () => {
  if (retries > 0) console.log(`${retries} calls were refused with 40001 and made again`);
});
