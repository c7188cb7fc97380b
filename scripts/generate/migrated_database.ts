import postgres, { type Sql } from "postgres";
import { bootstrapCluster, bootstrapDatabase } from "../stack/bootstrap.ts";
import { migrate } from "../stack/migrate.ts";
import { databaseAddress, startPostgres } from "../stack/postgres.ts";

/** Gives `use` the database that the migrations make of a new project, and throws it away after. */
export async function withMigratedDatabase<T>(use: (sql: Sql) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "dibs-generate-" });
  const password = crypto.randomUUID();
  await using after = new AsyncDisposableStack();
  after.defer(() => Deno.remove(dir, { recursive: true }));

  const server = await startPostgres({ password, dir, settings: { fsync: "off" } });
  after.defer(server.stop);
  const at = { port: server.port, password };
  const superuser = postgres(databaseAddress({ ...at, role: "supabase_admin" }), { max: 1 });
  after.defer(() => superuser.end());
  await bootstrapCluster(superuser, password);
  await bootstrapDatabase(superuser, { regime: "hidden", standIns: false });

  await migrate(databaseAddress(at));
  return await use(superuser);
}
