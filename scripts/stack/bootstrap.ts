import type { Sql } from "postgres";

/** What a project's API roles may do with new objects: everything, or nothing until granted. */
export type Regime = "exposed" | "hidden";

/** What a database is given before its first migration. */
export interface DatabaseOptions {
  regime: Regime;
  /** Whether it has the stand-ins for pg_cron, pg_net and Vault. */
  standIns: boolean;
}

/** Makes the roles of a hosted project, and `postgres` the owner of the database of that name. */
export async function bootstrapCluster(superuser: Sql, password: string): Promise<void> {
  await runFile(superuser, "roles.sql");
  for (const role of ["postgres", "authenticator"]) {
    await superuser.unsafe(`alter role ${role} password '${password}'`);
  }
  await superuser`alter database postgres owner to postgres`;
}

/** Makes an empty database what a hosted project is before its first migration. Re-runnable. */
export async function bootstrapDatabase(
  superuser: Sql,
  { regime, standIns }: DatabaseOptions,
): Promise<void> {
  await superuser.begin(async (transaction) => {
    const [{ done }] = await transaction`select to_regnamespace('extensions') is not null as done`;
    if (!done) {
      await runFile(transaction, "database.sql");
      if (regime === "hidden") await runFile(transaction, "database_hidden.sql");
    }
    if (standIns) await runFile(transaction, "stand_ins.sql");
  });
}

async function runFile(sql: Pick<Sql, "unsafe">, name: string): Promise<void> {
  await sql.unsafe(await Deno.readTextFile(new URL(name, import.meta.url)));
}
