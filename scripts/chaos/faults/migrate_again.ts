import { applyMigrations, listMigrations } from "../../stack/migrations.ts";
import { connected } from "../connection.ts";
import type { Fault } from "../fault.ts";

const LONGEST_MS = 30_000;

/** All migrations are applied once more while everybody is at work. */
export const migrateAgain: Fault = {
  name: "migrate_again",
  percent: 1,
  async inject({ stack, projectDir }) {
    const migrations = await listMigrations(projectDir);
    const migrated = connected(
      stack.databaseUrl,
      (sql) => applyMigrations(sql, migrations),
      LONGEST_MS,
    );
    // What another fault does to it stands in PostgreSQL's log like everything else.
    await migrated.catch(() => {});
  },
};
