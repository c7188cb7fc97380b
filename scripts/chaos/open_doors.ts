import type { Sql } from "postgres";

/** What other roles than the service role may do with anything of Dibs, in sentences. */
export async function findOpenDoors(sql: Sql): Promise<string[]> {
  const rows = await sql<{ door: string }[]>`
    with relation as (
      select c.oid, c.oid::regclass::text as name, c.relkind from pg_class c
      where c.relkind in ('r', 'p', 'v', 'S') and (c.relnamespace = 'dibs'::regnamespace
        or c.oid in ('public.tasks'::regclass, 'public.thought_work_claims'::regclass))
    ), stranger (role) as (values ('anon'), ('authenticated'))
    select format('%s may use the schema dibs', role) as door from stranger
      where has_schema_privilege(role, 'dibs', 'usage')
    union all
    select format('%s may %s %s', role, privilege, name)
      from stranger, relation,
        unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) privilege
      where relkind <> 'S' and has_table_privilege(role, oid, privilege)
    union all
    select format('%s may use %s', role, name) from stranger, relation
      where relkind = 'S' and has_sequence_privilege(role, oid, 'usage, select, update')
    union all
    select format('%s may call %s', role, p.oid::regprocedure) from stranger, pg_proc p
      where (p.pronamespace = 'dibs'::regnamespace
          or p.pronamespace = 'public'::regnamespace and p.proname = any (dibs.interface()))
        and has_function_privilege(role, p.oid, 'execute')
    order by 1`;
  return rows.map(({ door }) => door);
}
