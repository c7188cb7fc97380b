import { join } from "node:path";
import postgres from "postgres";
import {
  bootstrapCluster,
  bootstrapDatabase,
  type DatabaseOptions,
} from "../../scripts/stack/bootstrap.ts";
import { migrate } from "../../scripts/stack/migrate.ts";
import {
  databaseAddress,
  type PostgresOptions,
  startPostgres,
} from "../../scripts/stack/postgres.ts";
import type { Process } from "../../scripts/stack/processes.ts";

/** How tests reach the cluster that `npm test` started for them. */
export interface Cluster {
  port: number;
  password: string;
  /** Where its pooler is, when tests are to go through it. */
  poolerPort?: number;
  /** Its default of transactions, when that is stricter than read committed. */
  isolation?: string;
}

/** The environment variable that holds the {@link Cluster}, as JSON. */
export const CLUSTER_VARIABLE = "DIBS_TEST_CLUSTER";

/** Databases that tests clone: one per default-privilege regime, migrated. */
export const TEMPLATES = ["hidden", "exposed"] as const;

/** Starts a throw-away PostgreSQL with a migrated template database per regime. */
export async function startCluster(
  dir: string,
  options: Pick<PostgresOptions, "programs"> = {},
): Promise<Cluster & Pick<Process, "stop">> {
  const password = crypto.randomUUID();
  const server = await startPostgres({
    ...options,
    password,
    dir: join(dir, "postgres"),
    settings: FAST,
  });
  const cluster = { port: server.port, password };
  try {
    await using superuser = connectSuperuser(cluster, "postgres");
    await bootstrapCluster(superuser.sql, cluster.password);
    await Promise.all(TEMPLATES.map(async (regime) => {
      await createDatabase(cluster, regime, { regime, standIns: true });
      await migrate(databaseAddress({ ...cluster, database: regime }));
    }));
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...cluster, stop: server.stop };
}

/** Creates a database that is not migrated. */
export async function createDatabase(
  cluster: Cluster,
  name: string,
  options: DatabaseOptions,
): Promise<void> {
  await using superuser = connectSuperuser(cluster, "postgres");
  await superuser.sql.unsafe(`create database ${name} template template0 owner postgres`);
  await using inside = connectSuperuser(cluster, name);
  await bootstrapDatabase(inside.sql, options);
}

/** One connection as the superuser; closed on dispose. */
export function connectSuperuser(cluster: Cluster, database: string) {
  const sql = postgres(databaseAddress({ ...cluster, role: "supabase_admin", database }), {
    max: 1,
    onnotice: () => {},
  });
  return { sql, [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }) };
}

/** Nothing here has to outlive the machine; many tests hold many connections. */
const FAST = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  max_connections: 400,
  // Debian's PostgreSQL compiles what looks expensive, which takes longer than to run it.
  jit: "off",
};
