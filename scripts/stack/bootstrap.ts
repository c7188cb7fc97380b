import type { Sql, TransactionSql } from "postgres";

/** What a project's API roles may do with new objects: everything, or nothing until granted. */
export type Regime = "exposed" | "hidden";

/** What a database is given before its first migration. */
export interface DatabaseOptions {
  regime: Regime;
  /** Whether it has pg_cron, pg_net and Vault: the real ones where PostgreSQL has them loaded, else stand-ins. */
  standIns: boolean;
}

/** What a hosted project has beyond PostgreSQL, and which setting names the one database that may have it. */
const PLATFORM = [
  { name: "pg_cron", home: "cron.database_name" },
  { name: "pg_net", home: "pg_net.database_name" },
  { name: "vault" },
];

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
    for (const { name, home } of standIns ? PLATFORM : []) {
      const isLoaded = home && await isLoadedHere(transaction, name, home);
      await runFile(transaction, `${isLoaded ? "extensions" : "stand_ins"}/${name}.sql`);
    }
  });
}

async function isLoadedHere(sql: TransactionSql, name: string, home: string): Promise<boolean> {
  const [{ here }] = await sql`
    select exists (select from pg_available_extensions where name = ${name})
      and current_setting(${home}, true) is not distinct from current_database()::text as here`;
  return here;
}

async function runFile(sql: Pick<Sql, "unsafe">, name: string): Promise<void> {
  await sql.unsafe(await Deno.readTextFile(new URL(name, import.meta.url)));
}
