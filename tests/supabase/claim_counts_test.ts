import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";

/** What is told of thoughts, as `claimed succeeded failed expired`. */
async function told(sql: Sql) {
  const rows = await sql`select * from dibs.claim_counts('thoughts')`;
  return rows.map((row) =>
    [row.work_type, row.claimed, row.succeeded, row.failed, row.expired].join(" ") +
    (row.counted_at ? " lately" : "")
  );
}

async function claimAndEnd(sql: Sql, workType: string, ended: number, status = "succeeded") {
  const claimed = await sql`select fence from claim_next_thoughts(${workType}, 'w', ${ended})`;
  await sql`select settle_lease(${claimed[0].fence}, p_rest => ${status})`;
}

Deno.test("claims of a small table are counted at once", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  const clock = await testClock(sql);
  assert.deepEqual(await told(sql), []);
  await sql`insert into thoughts (content) select 'thought ' || n from generate_series(1, 10) n`;
  await claimAndEnd(sql, "a", 3);
  await claimAndEnd(sql, "a", 1, "failed");
  await sql`select claim_next_thoughts('b', 'w', 2, 60)`;
  await clock.advance("2 minutes");
  await sql`select dibs.count_claims()`;
  assert.deepEqual(await told(sql), ["a 0 3 1 0", "b 2 0 0 2"]);
});

Deno.test("those of a large table now and then, but for open ones", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  const clock = await testClock(sql, { stopped: true });
  await sql`insert into thoughts (content) select 'thought ' || n from generate_series(1, 10) n`;
  await claimAndEnd(sql, "a", 3);
  const count = () => sql`select dibs.count_claims(p_large => 1)`;
  await count();
  assert.deepEqual(await told(sql), ["a 0 3 0 0 lately"]);
  await claimAndEnd(sql, "a", 2);
  await sql`select claim_next_thoughts('b', 'w', 1)`;
  await count();
  assert.deepEqual(await told(sql), ["a 0 3 0 0 lately", "b 1 0 0 0"], "too soon for the next");
  const [{ due }] = await sql`
    select next_at > counted_at and next_at < counted_at + interval '1 hour' as due
    from dibs.claim_count where work_type = ''`;
  assert(due);
  await clock.advance("1 hour");
  await count();
  assert.deepEqual(await told(sql), ["a 0 5 0 0 lately", "b 1 0 0 1 lately"]);
  await sql`select dibs.count_claims()`;
  assert.deepEqual(await told(sql), ["a 0 5 0 0", "b 1 0 0 1"], "it is small again");
});

Deno.test("of two that count at once one does", async () => {
  await using db = await freshDatabase();
  const other = db.connect();
  await other`begin`;
  await other`select dibs.count_claims(p_large => 0)`;
  await db.sql`select dibs.count_claims(p_large => 0)`;
  await other`commit`;
  const [{ counts }] = await db.sql`select count(*)::int as counts from dibs.claim_count`;
  assert.equal(counts, 1);
});
