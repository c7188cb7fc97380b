-- What each role may do with each object of Dibs and of the extensions it uses, by its own name, as
-- PUBLIC or by membership: as many cells a row as tests/supabase/grants.txt has columns.
with
schema as (
  select * from pg_namespace where nspname in ('dibs', 'public', 'net', 'cron', 'vault')
),
object (place, kind, name, oid, owner, guard, privileges) as (
  select 1, 'schema', nspname::text, oid, nspowner, '-', array['usage', 'create']
  from schema
  union all
  select 2, 'table', nspname || '.' || relname, c.oid, relowner,
    case when relrowsecurity then 'rls' else 'no rls' end || coalesce(
      (select string_agg(', policy ' || polname, '' order by polname) from pg_policy where polrelid = c.oid), ''),
    array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']
      || case when current_setting('server_version_num')::int >= 170000 then array['maintain'] end
  from pg_class c join schema s on s.oid = relnamespace where relkind in ('r', 'p', 'f')
  union all
  select 2, 'view', nspname || '.' || relname, c.oid, relowner,
    case when 'security_invoker=true' = any (reloptions) then 'as caller' else 'as owner' end,
    array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']
      || case when current_setting('server_version_num')::int >= 170000 then array['maintain'] end
  from pg_class c join schema s on s.oid = relnamespace where relkind in ('v', 'm')
  union all
  select 3, 'sequence', nspname || '.' || relname, c.oid, relowner, '-', array['usage', 'select', 'update']
  from pg_class c join schema s on s.oid = relnamespace where relkind = 'S'
  union all
  select 4, 'function', nspname || '.' || proname, p.oid, proowner,
    case when prosecdef then 'as owner' else 'as caller' end, array['execute']
  from pg_proc p join schema s on s.oid = pronamespace
  union all
  select 5, 'type', nspname || '.' || typname, t.oid, typowner, '-', array['usage']
  from pg_type t join schema s on s.oid = typnamespace where typcategory <> 'A'
),
granted as (
  select object.*, r.n, role,
    array(
      select privilege || coalesce('(' || columns || ')', '')
      from unnest(privileges) with ordinality p (privilege, m),
        -- Columns that are granted one by one, where the whole is not.
        lateral (
          select string_agg(attname, ',' order by attnum)
          from pg_attribute
          where kind in ('table', 'view') and attrelid = object.oid and attnum > 0 and not attisdropped
            and case when privilege in ('select', 'insert', 'update', 'references') then
              not has_table_privilege(role, attrelid, privilege)
              and has_column_privilege(role, attrelid, attnum, privilege) end) c (columns)
      where columns is not null or case kind
        when 'schema' then has_schema_privilege(role, object.oid, privilege)
        when 'sequence' then has_sequence_privilege(role, object.oid, privilege)
        when 'function' then has_function_privilege(role, object.oid, privilege)
        when 'type' then has_type_privilege(role, object.oid, privilege)
        else has_table_privilege(role, object.oid, privilege) end
      order by m) as rights
  from object
  cross join unnest(array['public', 'anon', 'authenticated', 'authenticator', 'service_role', 'postgres'])
    with ordinality r (role, n)
)
select array[kind || ' ' || name, guard] || array_agg(
  case
    when role = pg_get_userbyid(owner) then 'owner'
    when rights = '{}' then '-'
    when rights = privileges and kind <> 'function' and kind <> 'type' then 'all'
    else array_to_string(rights, ' ')
  end order by n) as cells
from granted
group by place, kind, name, oid, guard
order by place, name, oid
