import type { Sql } from "postgres";

/**
 * What the worst later migration would do: drops every table, view, function and sequence of Dibs
 * and creates it as it was, rows included and thoughts excepted, which are the project's. The grants
 * go with what is dropped, and nothing is sealed.
 */
export async function dropAndCreateEverything(sql: Sql): Promise<void> {
  const views = await sql`
    select 'view' as kind, oid, oid::regclass::text as name,
      format('create view %s %s as %s', oid::regclass,
        'with (' || array_to_string(reloptions, ', ') || ')', pg_get_viewdef(oid)) as definition
    from pg_class where relkind = 'v' and relnamespace in ('dibs'::regnamespace, 'public'::regnamespace)`;
  const functions = await sql`
    select 'function' as kind, oid, oid::regprocedure::text as name, pg_get_functiondef(oid) as definition
    from pg_proc where pronamespace in ('dibs'::regnamespace, 'public'::regnamespace)`;
  const tables = await sql`
    select c.oid::regclass::text as name, nspname as schema, relname as "inSchema",
      (select string_agg(quote_ident(attname), ', ') from pg_attribute
        where attrelid = c.oid and attnum > 0 and attgenerated = '' and not attisdropped) as columns
    from pg_class c join pg_namespace n on n.oid = relnamespace
    where relkind = 'r' and nspname in ('dibs', 'public') and relname <> 'thoughts'`;
  const sequences = await sql`
    select s.oid::regclass::text as name, format('create sequence %s increment %s start %s', s.oid::regclass,
      seqincrement, seqstart) as definition
    from pg_class s join pg_sequence on seqrelid = s.oid
    where relnamespace = 'dibs'::regnamespace and not exists (
      select from pg_depend where objid = s.oid and deptype = 'i')`;
  const defaults = await sql`
    select format('alter table %s alter %I set default %s', adrelid::regclass, attname, pg_get_expr(adbin, adrelid))
      as definition
    from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
    where pg_get_expr(adbin, adrelid) like 'nextval(%'`;
  // Those on tables and on views alike go with what they are on.
  const triggers = await sql`
    select pg_get_triggerdef(t.oid) as definition
    from pg_trigger t join pg_class c on c.oid = tgrelid
    where not tgisinternal and relnamespace in ('dibs'::regnamespace, 'public'::regnamespace)`;

  await sql.begin(async (transaction) => {
    const run = (text: string) => transaction.unsafe(text);
    // A function may be there before what its body names.
    await run("set local check_function_bodies = off");
    for (const { name } of views) await run(`drop view ${name} cascade`);
    for (const { name } of functions) await run(`drop function if exists ${name} cascade`);
    await run("create schema parked");
    for (const { name, schema, inSchema, columns } of tables) {
      await run(`alter table ${name} set schema parked`);
      await run(`create table ${schema}.${inSchema} (like parked.${inSchema} including all)`);
      await run(
        `insert into ${name} (${columns}) overriding system value select ${columns} from parked.${inSchema}`,
      );
      await run(`alter table ${name} enable row level security`);
    }
    await run("drop schema parked cascade");
    for (const { name, definition } of sequences) {
      await run(`drop sequence ${name} cascade`);
      await run(definition);
    }
    for (const { definition } of defaults) await run(definition);
    // Views and functions need each other: in the order in which they came to be.
    const made = [...views, ...functions].sort((one, other) => one.oid - other.oid);
    for (const { definition } of made) await run(definition);
    for (const { definition } of triggers) await run(definition);
  });
}
