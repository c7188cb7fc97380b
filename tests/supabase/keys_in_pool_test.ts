// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import { freshDatabase } from "../support/database.ts";
import { letters, tenantsOf } from "../support/letters_of_tenants.ts";
import { claimNextRows, settleRows } from "../support/sources.ts";
import { WORK } from "../support/thoughts.ts";

Deno.test("many rows of a key that is closed are in nobody's way", async () => {
  await using db = await freshDatabase();
  const service = await letters(db, "");
  const add = (tenant: string, count: number) =>
    db.sql`insert into letters (tenant) select ${tenant} from generate_series(1, ${count})`;
  await add("a", 30_000);
  await add("b", 3);
  await db.sql`select set_claim_limit('letters', 'index', 1, p_each_key => true)`;
  const [a] = await claimNextRows(service, "letters", 1);
  assert.equal(a.row.tenant, "a", "the pool has nothing else yet");
  for (let nth = 1; nth <= 3; nth++) {
    const [b] = await claimNextRows(service, "letters", 5);
    assert.equal(b?.row.tenant, "b");
    await settleRows(service, b.fence, [], "succeeded");
  }
  assert.deepEqual(await claimNextRows(service, "letters", 5), []);
  let { fence } = a;
  for (let nth = 1; nth <= 3; nth++) {
    await settleRows(service, fence, [], "succeeded");
    const next = await claimNextRows(service, "letters", 5);
    assert.equal(tenantsOf(next), "a", "once it opens, without another search");
    fence = next[0].fence;
  }
});

Deno.test("each claim takes of as many keys as it takes to get what it asks for", async () => {
  await using db = await freshDatabase();
  const service = await letters(db, "aaabbbcccddd");
  await db.sql`select set_claim_limit('letters', 'index', 2, p_each_key => true)`;
  assert.equal((await claimNextRows(service, "letters", 7)).length, 7);
  assert.equal((await claimNextRows(service, "letters", 7)).length, 1);
});

Deno.test("workers at once never hold two of a key with limit 1, and get everything done", async () => {
  await using db = await freshDatabase();
  await letters(db, "abcde".repeat(30));
  await db.sql`select set_claim_limit('letters', 'index', 1, p_each_key => true)`;
  await db.sql`
    create function public.watch() returns trigger language plpgsql as $$
    begin
      if exists (
        select from letters_work_claims c join letters l on l.id = c.row_id
        where c.status = 'claimed' group by l.tenant having count(*) > 1
      ) then raise exception 'two of a key'; end if;
      return null;
    end $$`;
  // At the end of each transaction, which then sees those that were committed before.
  await db.sql`
    create constraint trigger watch after insert on letters_work_claims
    deferrable initially deferred for each row execute function public.watch()`;
  const done = async () =>
    (await db.sql`select from letters_work_claims where status = 'succeeded'`).length;
  await Promise.all(Array.from({ length: 6 }, async () => {
    const sql = db.connect();
    while (await done() < 150) {
      const granted = await claimNextRows(sql, "letters", 2);
      if (granted.length > 0) await settleRows(sql, granted[0].fence, [], "succeeded");
    }
  }));
  assert.equal(await done(), 150);
});

Deno.test("dispatch starts no drain for thoughts whose keys are all closed", async () => {
  await using db = await freshDatabase();
  await db.sql`select dibs.set_row_key('thoughts', $$metadata ->> 'tenant'$$)`;
  await db.sql`
    insert into thoughts (content, metadata)
    select 'thought', '{"tenant": "a"}' from generate_series(1, 3)`;
  await db.sql`select dibs.configure('dispatch_work_types', ${`{${WORK}}`})`;
  const drains = async () =>
    (await db.sql`select dibs.drains_wanted('{}') as drains`)[0].drains.length;
  await db.sql`select set_claim_limit('thoughts', ${WORK}, 1, p_each_key => true)`;
  assert.equal(await drains(), 1);
  await db.sql`select claim_next_thoughts(${WORK}, 'worker')`;
  assert.equal(await drains(), 0);
  await db.sql`select set_claim_limit('thoughts', ${WORK}, 2, p_key => 'a')`;
  assert.equal(await drains(), 1);
});
