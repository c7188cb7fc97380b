// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";
import { freshDatabase } from "../support/database.ts";
import { assertRefused } from "../support/refused.ts";
import { claimNextRows, claimRows, rowIds, settleRows } from "../support/sources.ts";
import { SAMPLE_SOURCES, WORDS, words } from "../support/sources.ts";

const VERSIONED = ", p_version => 'version'";

// The filter --------------------------------------------------------------------------------------

Deno.test("only rows that meet the filter are claimed, next or by name", async () => {
  await using db = await freshDatabase();
  const service = await words(db, 4, ", p_filter => 'ready and word <> ''word 4'''");
  await db.sql`update words set ready = false where id = 2`;
  assert.deepEqual(rowIds(await claimNextRows(service, "words", 9)), ["1", "3"]);
  assert.deepEqual(await claimRows(service, "words", ["2", "4"]), []);
  await db.sql`update words set ready = true where id = 2`;
  assert.deepEqual(rowIds(await claimNextRows(service, "words", 9)), ["2"]);
});

Deno.test("a row in the pool that stops meeting the filter is passed over", async () => {
  await using db = await freshDatabase();
  const service = await words(db, 3, ", p_filter => 'ready'");
  assert.equal((await claimNextRows(service, "words", 1)).length, 1);
  await db.sql`update words set ready = false`;
  assert.deepEqual(await claimNextRows(service, "words", 9), []);
});

Deno.test("the filter and the columns can be changed, what else a source is cannot", async () => {
  await using db = await freshDatabase();
  const service = await words(db, 3);
  const again = (options: string) =>
    db.sql.unsafe(`select dibs.create_claim_source('words', 'public.words'${options})`);
  await again(", p_filter => 'id > 2', p_columns => array['word']");
  const [granted] = await claimNextRows(service, "words", 9);
  assert.deepEqual([granted.id, granted.row], ["3", { word: "word 3" }]);
  await again("");
  assert.deepEqual((await claimNextRows(service, "words", 9)).length, 2);
  await assert.rejects(again(VERSIONED), { code: "PT409" });
});

// What can be a source ----------------------------------------------------------------------------

Deno.test("what cannot be a source is refused, with the mend", async () => {
  await using db = await freshDatabase();
  await db.sql.unsafe(`${WORDS};
    create table public.no_key (a int, b int, primary key (a, b));
    create table public.numeric_key (id numeric primary key, shape json);
    create table public.taken_work_claims (id int);
    create view public.some as select * from words`);
  const make = (args: string) => () => db.sql.unsafe(`select dibs.create_claim_source(${args})`);
  for (const name of ["Words", "", "thoughts", "a_of_b", "1st", "x".repeat(31)]) {
    await assertRefused(make(`'${name}', 'words'`), "p_source must be 1 to 30 of");
  }
  await assertRefused(make("'some', 'some'"), "p_table must be a table");
  await assertRefused(make("'some', 'dibs.settings'"), "p_table must be a table");
  await assertRefused(make("'some', 'no_key'"), "public.no_key has no primary key of one column");
  await assertRefused(make("'some', 'no_key', 'a'"), "p_key is a, which nothing keeps unique");
  await assertRefused(make("'some', 'numeric_key'"), "p_key is id, which is no uuid");
  await assertRefused(make("'some', 'words', 'word'"), "p_key is word, which nothing keeps unique");
  await assertRefused(
    make("'some', 'words', p_version => 'gone'"),
    "public.words has no column gone",
  );
  await assertRefused(
    make("'some', 'words', p_columns => array['id', 'no']"),
    "public.words has no column no",
  );
  for (const filter of ["nothing = 1", "word", "ready =", "count(*) > 1", "extension()"]) {
    await assertRefused(
      make(`'some', 'words', p_filter => '${filter}'`),
      "p_filter cannot be a condition",
    );
  }
  await db.sql`alter table words add shape json`;
  await assertRefused(
    make("'some', 'words', p_version => 'shape'"),
    "p_version cannot be compared",
  );
  await assert.rejects(make("'taken', 'words'"), { code: "PT409" });
  await assertRefused(
    () => db.sql`select dibs.drop_claim_source('some')`,
    "p_source must be the name",
  );
  await assertRefused(
    () => db.sql`select dibs.drop_claim_source('thoughts')`,
    "p_source must not be",
  );
  assert.deepEqual([...await db.sql`select name from dibs.claim_source`], [{ name: "thoughts" }]);
  await assert.rejects(
    db.as("service_role")`select dibs.create_claim_source('words', 'words')`,
    { code: "42501" },
  );
});

// Coming and going --------------------------------------------------------------------------------

for (const regime of ["hidden", "exposed"] as const) {
  Deno.test(`a source is for the service role alone, where new objects are ${regime}`, async () => {
    await using db = await freshDatabase({ regime });
    await words(db, 1, VERSIONED + ", p_filter => 'ready'");
    const open = await db.sql`
      select o.name, role
      from (
        select oid::regclass::text as name, relacl as acl from pg_class
        where relkind in ('r', 'v') and (relname = 'words_work_claims' or relname ~ '_of_words$')
        union all select oid::regprocedure::text, proacl from pg_proc where proname ~ '_of_words$'
      ) o, aclexplode(o.acl) a, lateral (select coalesce(nullif(a.grantee, 0)::regrole::text, 'public') as role) r
      where role not in ('postgres', 'service_role')`;
    assert.deepEqual([...open], []);
    for (const role of ["anon", "authenticated"] as const) {
      await assert.rejects(db.as(role)`select from words_work_claims`, { code: "42501" });
      await assert.rejects(claimNextRows(db.as(role), "words", 1), { code: "42501" });
    }
    const [{ unsecured }] = await db.sql`
      select count(*)::int as unsecured from pg_class
      where relkind = 'r' and not relrowsecurity and (relname = 'words_work_claims' or relname ~ '_of_words$')`;
    assert.equal(unsecured, 0);
  });
}

Deno.test("every function of a source says what it is for and has an empty search path", async () => {
  await using db = await freshDatabase();
  await words(db, 1, VERSIONED);
  const functions = await db.sql`
    select proname, obj_description(oid, 'pg_proc') as comment, proconfig as config, prosrc from pg_proc
    where pronamespace = 'dibs'::regnamespace and proname ~ '_of_words$'`;
  assert.ok(functions.length > 20, `${functions.length} functions`);
  for (const { proname, comment, config, prosrc } of functions) {
    assert.ok(comment && !/thought|[{]/.test(comment), `${proname}: ${comment}`);
    assert.ok(config.includes('search_path=""'), proname);
    assert.ok(!/[{][a-z]/.test(prosrc), `${proname}: ${prosrc.match(/[{][a-z].*/)}`);
  }
});

Deno.test("applying every migration again changes nothing, with sources of every kind there", async () => {
  await using db = await freshDatabase();
  for (const { create } of SAMPLE_SOURCES) await db.sql.unsafe(create);
  const service = await words(db, 3, VERSIONED + ", p_filter => 'ready'");
  const [{ fence }] = await claimNextRows(service, "words", 2);
  const before = await definitions(db.sql);
  await applyMigrations(db.sql, await listMigrations());
  assert.deepEqual(await definitions(db.sql), before);
  assert.equal((await settleRows(service, fence, [], "succeeded")).settled, 2);
});

Deno.test("what was an older definition of a source's is made anew by the migrations", async () => {
  await using db = await freshDatabase();
  const service = await words(db, 1);
  await db.sql`
    create or replace function dibs.lock_held_rows_of_words(p_fence bigint) returns bigint[]
      language sql as 'select null::bigint[]'`;
  await applyMigrations(db.sql, await listMigrations());
  const [{ fence }] = await claimNextRows(service, "words", 1);
  assert.equal((await settleRows(service, fence, [], "succeeded")).settled, 1);
});

Deno.test("a source that is dropped leaves nothing but its table, and may come again", async () => {
  await using db = await freshDatabase();
  await db.sql.unsafe(WORDS);
  const before = await definitions(db.sql);
  for (const options of ["", VERSIONED, ", p_filter => 'ready'"]) {
    await db.sql.unsafe(`select dibs.create_claim_source('words', 'public.words'${options})`);
    await db.sql`insert into words (word) values ('one more')`;
    assert.ok((await claimNextRows(db.as("service_role"), "words", 1)).length > 0);
    await db.sql`select dibs.drop_claim_source('words')`;
    assert.deepEqual(await definitions(db.sql), before);
  }
});

async function definitions(sql: Sql): Promise<unknown[]> {
  return [
    ...await sql`
      select oid::regprocedure::text as name, pg_get_functiondef(oid) as says, proacl::text as acl from pg_proc
      where pronamespace in ('dibs'::regnamespace, 'public'::regnamespace)
      union all
      select oid::regclass::text, case relkind when 'v' then pg_get_viewdef(oid) end,
        -- What the service role may do with the table stays.
        case relname when 'words' then null else relacl::text end
      from pg_class
      where relnamespace in ('dibs'::regnamespace, 'public'::regnamespace)
      union all select tgname, pg_get_triggerdef(oid), null from pg_trigger where not tgisinternal
      union all select conname, pg_get_constraintdef(oid), null from pg_constraint where contype <> 'n'
      union all select name, relation::text, filter from dibs.claim_source
      order by 1, 2`,
  ];
}
