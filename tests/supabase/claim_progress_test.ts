import assert from "node:assert/strict";
import type { Row, Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";

const progress = async (sql: Sql): Promise<Row[]> => [...await sql`select * from claim_progress()`];

const COUNTS = ["total", "claimed", "succeeded", "failed", "unclaimed"];

Deno.test("progress is told of each source and kind of work, with a pace and a time left", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  const clock = await testClock(sql, { stopped: true });
  assert.deepEqual(await progress(sql), []);
  await sql`insert into thoughts (content) select 'thought ' || n from generate_series(1, 40) n`;
  const [first] = await sql`select fence from claim_next_thoughts('enrichment', 'w', 10)`;
  let [row] = await progress(sql);
  assert.deepEqual([row.source, row.work_type], ["thoughts", "enrichment"]);
  assert.deepEqual(COUNTS.map((name) => row[name]), ["40", "10", "0", "0", "30"]);
  assert.deepEqual([row.per_minute, row.seconds_left], [null, null], "nothing ended");

  await clock.advance("2 min");
  await sql`select settle_lease(${first.fence}, p_rest => 'succeeded')`;
  await sql`select fence from claim_next_thoughts('enrichment', 'w', 4)`;
  [row] = await progress(sql);
  assert.deepEqual(COUNTS.map((name) => row[name]), ["40", "4", "10", "0", "26"]);
  assert.deepEqual([row.per_minute, row.seconds_left], [5, String(30 / 5 * 60)]);

  await clock.advance("11 min");
  [row] = await progress(sql);
  assert.deepEqual([row.per_minute, row.seconds_left], [null, null], "nothing ended lately");
});

Deno.test("rows of a source count as far as its filter lets them pass", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  await sql`create table documents (id int primary key, wanted boolean)`;
  await sql`insert into documents select n, n <= 6 from generate_series(1, 10) n`;
  await sql`select dibs.create_claim_source('documents', 'public.documents', p_filter => 'wanted')`;
  await sql`select * from claim_next_rows('documents', 'b', 'w', 1)`;
  const [{ fence }] = await sql`select fence from claim_next_rows('documents', 'a', 'w', 2)`;
  await sql`select settle_rows(${fence}, p_rest => 'failed')`;
  const rows = await db.as("service_role")`select * from claim_progress()`;
  assert.deepEqual(rows.map((row) => [row.work_type, ...COUNTS.map((name) => row[name])]), [
    ["a", "6", "0", "0", "2", "4"],
    ["b", "6", "1", "0", "0", "5"],
  ]);
});

Deno.test("many rows are estimated, and never fewer than were counted", async () => {
  await using db = await freshDatabase();
  const [{ few, many }] = await db.sql`
    select dibs.estimated_count('select from generate_series(1, 10000)') as few,
      dibs.estimated_count('select from unnest(array(select generate_series(1, 20000)))') as many`;
  assert.equal(few, "10000");
  assert.ok(Number(many) > 10_000);
});
