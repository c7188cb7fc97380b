import type { Sql } from "postgres";

/** A statement that takes one privilege on one object of Dibs; it is undone where it succeeds. */
export interface Attempt {
  /** As in grants.txt: `table dibs.log`. */
  object: string;
  privilege: string;
  statement: string;
}

/** A schema where every role may make what some attempts take: a child table, a trigger function. */
export async function makeScratch(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create schema scratch;
    grant all on schema scratch to public;
    create function scratch.nothing() returns trigger language plpgsql as 'begin return null; end';
    grant execute on function scratch.nothing to public`);
}

/** One for each privilege on each object of Dibs. */
export async function everyAttempt(sql: Sql): Promise<Attempt[]> {
  return (await Promise.all([onSchema(), onRelations(sql), onSequences(sql), onFunctions(sql)]))
    .flat();
}

/** Whether the role is refused because it lacks a privilege on the object, or on its schema. */
export async function isDenied(sql: Sql, role: string, attempt: Attempt): Promise<boolean> {
  const [, name] = attempt.object.split(/ (?:\w+\.)?/);
  const denied = new RegExp(`^permission denied for (schema dibs|\\w+ ${name})$`);
  try {
    await sql.unsafe(`begin; set local role ${role}; ${attempt.statement}; rollback`);
    return false;
  } catch (error) {
    await sql.unsafe("rollback");
    return denied.test((error as Error).message);
  }
}

function onSchema(): Attempt[] {
  return [
    { object: "schema dibs", privilege: "usage", statement: "select 'dibs.log'::regclass" },
    { object: "schema dibs", privilege: "create", statement: "create table dibs.mine ()" },
  ];
}

async function onRelations(sql: Sql): Promise<Attempt[]> {
  const relations = await sql<
    {
      name: string;
      kind: "table" | "view";
      column: string;
      key: string;
      types: string;
      writable: boolean;
    }[]
  >`
    select nspname || '.' || relname as name, pg_relation_is_updatable(c.oid, true) > 0 as writable,
      case relkind when 'v' then 'view' else 'table' end as kind,
      (select attname from pg_attribute where attrelid = c.oid and attnum = 1) as column,
      string_agg(attname, ', ' order by attnum) as key,
      string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum) as types
    from pg_class c join pg_namespace n on n.oid = relnamespace
    left join pg_index on indrelid = c.oid and indisprimary
    left join pg_attribute on attrelid = c.oid and attnum = any (indkey)
    where relkind in ('r', 'v') and nspname in ('dibs', 'public')
    group by c.oid, nspname`;
  const [{ maintain }] = await sql`
    select current_setting('server_version_num')::int >= 170000 as maintain`;
  return relations.flatMap(({ name, kind, column, key, types, writable }) => {
    const isTable = kind === "table";
    const when = isTable ? "before insert" : "instead of insert";
    const statements = {
      select: `select * from ${name}`,
      insert: writable && `insert into ${name} default values`,
      update: writable && `update ${name} set ${column} = default where false`,
      delete: writable && `delete from ${name} where false`,
      truncate: isTable && `truncate ${name}`,
      references: key &&
        `create table scratch.child (${types}, foreign key (${key}) references ${name})`,
      trigger:
        `create trigger mine ${when} on ${name} for each row execute function scratch.nothing()`,
      maintain: isTable && maintain && `reindex table ${name}`,
    };
    return Object.entries(statements).flatMap(([privilege, statement]) =>
      statement ? [{ object: `${kind} ${name}`, privilege, statement }] : []
    );
  });
}

async function onSequences(sql: Sql): Promise<Attempt[]> {
  const sequences = await sql<{ name: string }[]>`
    select oid::regclass::text as name from pg_class where relkind = 'S' and relnamespace = 'dibs'::regnamespace`;
  return sequences.flatMap(({ name }) => [
    { object: `sequence ${name}`, privilege: "usage", statement: `select nextval('${name}')` },
    { object: `sequence ${name}`, privilege: "select", statement: `select * from ${name}` },
    { object: `sequence ${name}`, privilege: "update", statement: `select setval('${name}', 1)` },
  ]);
}

async function onFunctions(sql: Sql): Promise<Attempt[]> {
  return await sql<Attempt[]>`
    select 'function ' || nspname || '.' || proname as object, 'execute' as privilege,
      format('select %s.%I(%s)', nspname, proname, (
        select string_agg('null::' || format_type(type, null), ', ' order by n)
        from unnest(proargtypes) with ordinality a (type, n))) as statement
    from pg_proc join pg_namespace n on n.oid = pronamespace where nspname in ('dibs', 'public')`;
}
