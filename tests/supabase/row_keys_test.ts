// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import { freshDatabase } from "../support/database.ts";
import { letters } from "../support/letters_of_tenants.ts";
import { startBlocked } from "../support/locks.ts";
import { claimNextRows, makeRows, SAMPLE_SOURCES } from "../support/sources.ts";
import { assertRefused } from "../support/tasks.ts";
import { claimNext, WORK } from "../support/thoughts.ts";

for (const source of SAMPLE_SOURCES) {
  Deno.test(`${source.name} can have keys, and be without again`, async () => {
    await using db = await freshDatabase();
    await db.sql.unsafe(source.create);
    const objects = async () => [
      ...await db.sql`
        select oid::regclass::text as name from pg_class where relnamespace = 'dibs'::regnamespace order by 1`,
      ...await db.sql`
        select oid::regprocedure::text, md5(prosrc) from pg_proc where pronamespace = 'dibs'::regnamespace order by 1`,
    ];
    const before = await objects();
    const service = db.as("service_role");
    await makeRows(db.sql, source, 6);
    assert.equal((await claimNextRows(service, source.name, 1)).length, 1, "fills the pool");
    await db.sql`select dibs.set_row_key(${source.name}, ${"'$$' || right(content, 1)::int % 2"})`;
    await db.sql`select set_claim_limit(${source.name}, 'index', 1, p_each_key => true)`;
    // One of the two keys is taken by the claim from before.
    assert.equal((await claimNextRows(service, source.name, 9)).length, 1);
    assert.equal((await claimNextRows(service, source.name, 9)).length, 0);
    await assertRefused(
      db.sql`select dibs.set_row_key(${source.name}, null)`,
      "PT409",
      /there are gates for keys/,
    );
    await db.sql`select remove_claim_limit(${source.name}, 'index', p_each_key => true)`;
    await db.sql`select dibs.set_row_key(${source.name}, null)`;
    assert.deepEqual(await objects(), before);
    assert.equal((await claimNextRows(service, source.name, 9)).length, 4);
  });
}

Deno.test("thoughts have keys out of their metadata, also after another push", async () => {
  await using db = await freshDatabase();
  await db.sql`
    insert into thoughts (content, metadata)
    select 'thought', jsonb_build_object('tenant', n % 3) from generate_series(1, 9) n`;
  const key = "metadata ->> 'tenant'";
  for (let time = 1; time <= 2; time++) await db.sql`select dibs.set_row_key('thoughts', ${key})`;
  await db.sql`select set_claim_limit('thoughts', ${WORK}, 2, p_each_key => true)`;
  assert.equal((await claimNext(db.as("service_role"), 9)).length, 6);
});

Deno.test("a source that is created again keeps its keys", async () => {
  await using db = await freshDatabase();
  await db
    .sql`create table public.papers (id uuid primary key default gen_random_uuid(), tenant text)`;
  const create = () =>
    db.sql`select dibs.create_claim_source('papers', 'public.papers', p_filter => 'tenant <> ''c''')`;
  await create();
  await db.sql`select dibs.set_row_key('papers', 'tenant')`;
  await create();
  await db.sql`insert into papers (tenant) select unnest(string_to_array('aabbcc', null))`;
  await db.sql`select set_claim_limit('papers', 'index', 1, p_each_key => true)`;
  assert.equal((await claimNextRows(db.as("service_role"), "papers", 9)).length, 2);
  await db.sql`select dibs.drop_claim_source('papers')`;
  assert.equal((await db.sql`select from dibs.claim_gate`).length, 0);
});

Deno.test("keys are set when a claim that is under way has ended, which does not wait for that", async () => {
  await using db = await freshDatabase();
  await letters(db, "ab");
  const worker = db.connect();
  await worker`begin`;
  await worker`delete from dibs.run_of_letters where false`;
  const { done } = await startBlocked(
    db.sql,
    db.connect(),
    (sql) => sql`select dibs.set_row_key('letters', null)`,
  );
  assert.equal((await claimNextRows(worker, "letters", 9)).length, 2);
  await worker`commit`;
  await done;
});

Deno.test("what is no key of a row is refused with what is wrong about it", async () => {
  await using db = await freshDatabase();
  for (
    const [source, expression, message] of [
      ["nothing", "id", /p_source must be the name of a claim source/],
      [
        "thoughts",
        "tenant",
        /p_expression cannot be the key of a row: column "tenant" does not exist/,
      ],
      ["thoughts", "max(content)", /p_expression cannot be the key of a row/],
      ["thoughts", "content) as x, (content", /p_expression cannot be the key of a row/],
      ["thoughts", "", /p_expression cannot be the key of a row/],
    ] as const
  ) {
    await assertRefused(
      db.sql`select dibs.set_row_key(${source}, ${expression})`,
      "PT400",
      message,
    );
  }
});
