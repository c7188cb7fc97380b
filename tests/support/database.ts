import postgres, { type Sql } from "postgres";
import type { Regime } from "../../scripts/stack/bootstrap.ts";
import { databaseAddress } from "../../scripts/stack/postgres.ts";
import { type Cluster, CLUSTER_VARIABLE, connectSuperuser, createDatabase } from "./cluster.ts";

/** A database of a test's own. Use it as `await using db = await freshDatabase()`. */
export interface TestDatabase extends AsyncDisposable {
  /** Its address, as role `postgres`. */
  url: string;
  /** Its address, as the superuser. */
  adminUrl: string;
  /** A small pool as role `postgres`. */
  sql: Sql;
  /** One connection that works as another role. */
  as(role: "anon" | "authenticated" | "service_role" | "supabase_admin"): Sql;
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
  const open = (options: { max?: number; role?: string; connection?: Record<string, string> }) => {
    const { role, ...rest } = options;
    const url = databaseAddress({ ...cluster, role, database: name });
    const sql = postgres(url, { max: 1, onnotice: () => {}, ...rest });
    opened.push(sql);
    return sql;
  };
  return {
    url: databaseAddress({ ...cluster, database: name }),
    adminUrl: databaseAddress({ ...cluster, role: "supabase_admin", database: name }),
    sql: open({ max: 3 }),
    as: (role) => role === "supabase_admin" ? open({ role }) : open({ connection: { role } }),
    connect: () => open({}),
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((sql) => sql.end({ timeout: 0 })));
      await using superuser = connectSuperuser(cluster, "postgres");
      await superuser.sql.unsafe(`drop database ${name} with (force)`);
    },
  };
}

function findCluster(): Cluster {
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
