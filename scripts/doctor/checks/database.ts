import { fileURLToPath } from "node:url";
import { VERSION } from "../../../functions/_shared/version.ts";
import { listMigrations } from "../../stack/migrations.ts";
import type { Check } from "../check.ts";
import { error, info, type Mend, ok, warning } from "../finding.ts";
import type { Project } from "../project.ts";

const OLDEST_VERSION = 15;
const SCHEMA = fileURLToPath(new URL("../../../supabase/schema.sql", import.meta.url));

const PUSH = { command: 'npx supabase db push --db-url "$SUPABASE_DB_URL"' };
/** For migrations that were pushed: what is as it should be stays as it is. */
const APPLY_AGAIN = {
  command: 'cat supabase/migrations/*.sql | psql "$SUPABASE_DB_URL" ' +
    "-X -q -v ON_ERROR_STOP=1 --single-transaction",
};

/** It answers. */
export const database: Check = {
  id: "database",
  needs: [],
  async look(project) {
    if (!project.inputs.databaseUrl) return info("Not given, so not looked at.");
    try {
      return ok(`PostgreSQL ${(await project.database()).version} answers.`);
    } catch (reason) {
      return error(`The database does not answer: ${(reason as Error).message || reason}.`, {
        by_hand:
          "Take the address from Dashboard → Connect → Session pooler, with the password of " +
          "the database; unpause the project when it is paused.",
      });
    }
  },
};

/** It has all the SQL that Dibs is written in. */
export const postgresVersion: Check = {
  id: "postgres_version",
  needs: ["database"],
  async look(project) {
    const { version, version_num } = await project.database();
    const major = Math.floor(version_num / 10_000);
    if (major >= OLDEST_VERSION) return ok(`PostgreSQL ${major} has all that Dibs needs.`);
    return error(`PostgreSQL ${version} is too old: Dibs needs ${OLDEST_VERSION}.`, {
      by_hand: "Upgrade the project: Dashboard → Settings → Infrastructure.",
    });
  },
};

/** All that the migrations make is there. */
export const migrations: Check = {
  id: "migrations",
  needs: ["database"],
  async look(project) {
    if (!(await project.database()).dibs) {
      return error("The migrations of Dibs were not applied to this database.", PUSH);
    }
    const { relations, functions } = madeBy(await Deno.readTextFile(SCHEMA));
    const [{ missing }] = await project.read((sql) =>
      sql<[{ missing: string[] }]>`
        select coalesce(jsonb_agg(name order by name), '[]') as missing
        from (
          select name from jsonb_array_elements_text(${
        sql.json(relations)
      }) name where to_regclass(name) is null
          union all
          select name from jsonb_array_elements_text(${sql.json(functions)}) name
          where not exists (
            select from pg_proc p where p.pronamespace = to_regnamespace(split_part(name, '.', 1))
              and p.proname = split_part(name, '.', 2))
        ) m`
    );
    if (missing.length === 0) return ok("All that the migrations make is there.");
    const more = missing.length > 3 ? ` and ${missing.length - 3} more` : "";
    return error(
      `Of what the migrations make ${missing.slice(0, 3).join(", ")}${more} is missing.`,
      await migrate(project),
    );
  },
};

/** The names of what supabase/schema.sql makes, but for what a project may have had before. */
function madeBy(schema: string): { relations: string[]; functions: string[] } {
  const found = (pattern: RegExp) => [...schema.matchAll(pattern)].map(([, name]) => name);
  const indexes = [
    ...schema.matchAll(/^create (?:unique )?index (\w+) on (?:only )?(\w+)\.(\w+)/gim),
  ]
    .filter(([, , , table]) => table !== "thoughts").map(([, name, schema]) => `${schema}.${name}`);
  return {
    relations: [...found(/^create (?:table|view|sequence) (\w+\.\w+)/gim), ...indexes],
    functions: found(/^create (?:or replace )?function (\w+\.\w+)\(/gim),
  };
}

/** It was migrated to the version that stands here. */
export const databaseVersion: Check = {
  id: "database_version",
  needs: ["dibs"],
  async look(project) {
    const [{ version }] = await project.read((sql) => sql`select dibs.version() as version`);
    if (version === VERSION) return ok(`The database is at ${VERSION}, as this repository.`);
    const isOlder = version.localeCompare(VERSION, "en", { numeric: true }) < 0;
    return warning(
      `The database is at ${version}, this repository at ${VERSION}.`,
      isOlder ? await migrate(project) : { command: "git pull" },
    );
  },
};

/** `db push` does nothing about migrations that the database has a record of. */
async function migrate(project: Project): Promise<Mend> {
  const versions = (await listMigrations()).map(({ name }) => name.split("_")[0]);
  const pushed = await project.read(async (sql) => {
    const [{ there }] =
      await sql`select to_regclass('supabase_migrations.schema_migrations') is not null as there`;
    return there ? await sql`select version from supabase_migrations.schema_migrations` : [];
  });
  const isPushed = new Set(pushed.map(({ version }) => version));
  return versions.every((version) => isPushed.has(version)) ? APPLY_AGAIN : PUSH;
}

/** Something ticks by itself. */
export const pgCron: Check = {
  id: "pg_cron",
  needs: ["database"],
  async look(project) {
    const { pg_cron, extensions } = await project.database();
    if (pg_cron) return ok(`pg_cron ${extensions.pg_cron ?? "is stood in for"}.`);
    return warning("There is no pg_cron, so nothing ticks by itself.", {
      sql: "create extension pg_cron with schema pg_catalog;\nselect dibs.schedule();",
    });
  },
};

/** The database can call functions. */
export const pgNet: Check = {
  id: "pg_net",
  needs: ["database"],
  async look(project) {
    const { pg_net, extensions } = await project.database();
    if (pg_net) return ok(`pg_net ${extensions.pg_net ?? "is stood in for"}.`);
    return warning("There is no pg_net, so the database cannot call dispatch.", {
      sql: "create extension pg_net with schema extensions;",
    });
  },
};

/** There is a place for what dispatch is called with. */
export const vault: Check = {
  id: "vault",
  needs: ["database"],
  async look(project) {
    const { vault, extensions } = await project.database();
    if (vault) return ok(`The Vault ${extensions.supabase_vault ?? "is stood in for"}.`);
    return warning("There is no Vault, which holds the address and the secret of dispatch.", {
      sql: "create extension supabase_vault;",
    });
  },
};
