import type { Sql } from "postgres";

/**
 * What the roles of the API may do with each object of Dibs, by name, by PUBLIC or by membership:
 * a line an object, as in tests/supabase/grants.txt. Internal functions share a line when they
 * share their privileges.
 */
export async function grantsOf(sql: Sql): Promise<string[]> {
  const lines = await sql<{ line: string }[]>`
    with object as (
      select 1 as place, 'schema' as kind, 'dibs' as name, oid, array['usage', 'create'] as privileges
      from pg_namespace where nspname = 'dibs'
      union all
      select 2, case relkind when 'v' then 'view' else 'table' end, relnamespace::regnamespace || '.' || relname, oid,
        array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger', 'maintain']
      from pg_class
      where relkind in ('r', 'v') and (relnamespace = to_regnamespace('dibs')
        or relnamespace = 'public'::regnamespace and relname in ('thoughts', 'thought_work_claims', 'tasks'))
      union all
      select 3, 'sequence', relnamespace::regnamespace || '.' || relname, oid, array['usage', 'select', 'update']
      from pg_class where relkind = 'S' and relnamespace = to_regnamespace('dibs')
      union all
      select 4, 'function', pronamespace::regnamespace || '.' || proname, oid, array['execute']
      from pg_proc where pronamespace = 'public'::regnamespace and proname = any (dibs.interface())
      union all
      select 5, 'functions', 'dibs.*', oid, array['execute']
      from pg_proc where pronamespace = to_regnamespace('dibs')
    )
    select distinct place, kind || ' ' || name || ': ' || coalesce(granted, 'nobody') as line
    from object, lateral (
      select string_agg(role || ' ' || (
          select string_agg(privilege, ' ' order by n)
          from unnest(privileges) with ordinality p(privilege, n)
          where case
            when kind = 'schema' then has_schema_privilege(role, oid, privilege)
            when kind = 'sequence' then has_sequence_privilege(role, oid, privilege)
            when kind in ('function', 'functions') then has_function_privilege(role, oid, privilege)
            when privilege in ('select', 'insert', 'update', 'references') then has_any_column_privilege(role, oid, privilege)
            else has_table_privilege(role, oid, privilege) end
        ), '; ' order by role) as granted
      from unnest(array['public', 'anon', 'authenticated', 'service_role', 'authenticator']) role
    ) g
    order by place, line`;
  return lines.map(({ line }) => line);
}
