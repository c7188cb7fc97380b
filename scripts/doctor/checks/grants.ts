import { count } from "../../numbers.ts";
import type { Check } from "../check.ts";
import { error, ok } from "../finding.ts";

/** Run as their owner, for a reason that stands in their comment. */
const AS_OWNER = /^dibs\.pool_freed_(thoughts|rows_of_[a-z0-9_]+)\(\)$/;
const RELATIONS = `
  select c.oid, c.oid::regclass::text as name, c.relkind, c.relrowsecurity, c.reloptions from pg_class c
  where c.relkind in ('r', 'p', 'v', 'm', 'S') and (c.relnamespace = 'dibs'::regnamespace
    or c.oid in (to_regclass('public.thought_work_claims'), to_regclass('public.tasks'))
    or c.oid in (
      select to_regclass(format('public.%I', substr(v.relname, 9) || '_work_claims')) from pg_class v
      where v.relnamespace = 'dibs'::regnamespace and v.relname ~ '^rows_of_'))`;
const FUNCTIONS = `
  select p.oid, p.oid::regprocedure::text as name, p.prosecdef from pg_proc p
  where p.pronamespace = 'dibs'::regnamespace
    or p.pronamespace = 'public'::regnamespace and p.proname = any (dibs.interface())`;

/** Neither everybody nor the API's roles for people may do anything with Dibs. */
export const grants: Check = {
  id: "grants",
  needs: ["dibs"],
  async look(project) {
    const leaks = await project.read((sql) =>
      sql`
        select role, name from (values ('public'), ('anon'), ('authenticated')) r (role), lateral (
          select 'schema dibs' as name
          where has_schema_privilege(role, 'dibs', 'usage, create')
          union all
          select name from (${sql.unsafe(RELATIONS)}) r where case relkind
            when 'S' then has_sequence_privilege(role, oid, 'usage, select, update')
            else has_table_privilege(role, oid, 'select, insert, update, delete, truncate, references, trigger')
              or has_any_column_privilege(role, oid, 'select, insert, update, references') end
          union all
          select name from (${
        sql.unsafe(FUNCTIONS)
      }) f where has_function_privilege(role, oid, 'execute')
        ) leak`
    );
    if (leaks.length === 0) return ok("Nobody but the service role may do anything with Dibs.");
    const [{ role, name }] = leaks;
    const more = leaks.length > 1 ? `, and ${count(leaks.length - 1, "more privilege")}` : "";
    return error(`${role} has a privilege on ${name}${more}: Dibs is open to the outside.`, {
      sql: "select dibs.seal();",
    });
  },
};

/** Tables show rows to nobody without a privilege, views what their reader may see. */
export const rowSecurity: Check = {
  id: "row_security",
  needs: ["dibs"],
  async look(project) {
    const open = await project.read((sql) =>
      sql`
        select name, relkind = 'v' as "isView" from (${sql.unsafe(RELATIONS)}) r
        where relkind in ('r', 'p') and not relrowsecurity
          or relkind = 'v' and (reloptions @> '{security_invoker=true}') is not true
        order by name`
    );
    if (open.length === 0) return ok("Tables have row level security, views run as their reader.");
    return error(`Without row level security: ${open.map(({ name }) => name).join(", ")}.`, {
      sql: open.map(({ name, isView }) =>
        isView
          ? `alter view ${name} set (security_invoker = true);`
          : `alter table ${name} enable row level security;`
      ).join("\n"),
    });
  },
};

/** Functions run as their caller. */
export const securityDefiner: Check = {
  id: "security_definer",
  needs: ["dibs"],
  async look(project) {
    const found = await project.read((sql) =>
      sql`select name from (${sql.unsafe(FUNCTIONS)}) f where prosecdef order by name`
    );
    const names = found.map(({ name }) => name).filter((name) => !AS_OWNER.test(name));
    if (names.length === 0) return ok("Functions run as their caller.");
    return error(`Run as their owner, with all its rights: ${names.join(", ")}.`, {
      sql: names.map((name) => `alter function ${name} security invoker;`).join("\n"),
    });
  },
};
