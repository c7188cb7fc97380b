// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase, type TestDatabase } from "../support/database.ts";
import { assertRefused } from "../support/refused.ts";
import { claimNextRows, claimRows, makeRows, rowIds } from "../support/sources.ts";
import { SAMPLE_SOURCES, type SampleSource, settleRows } from "../support/sources.ts";

interface Stage {
  db: TestDatabase;
  service: Sql;
  source: SampleSource;
}

/** The same for each type of key, thoughts among them. */
function testSources(says: string, test: (stage: Stage) => Promise<void>): void {
  for (const source of SAMPLE_SOURCES) {
    Deno.test(`${says} (${source.name})`, async () => {
      await using db = await freshDatabase();
      await db.sql.unsafe(source.create);
      await test({ db, service: db.as("service_role"), source });
    });
  }
}

testSources("a row is granted once, with its fence and what it says", async (stage) => {
  const { db, service, source: { name } } = stage;
  const ids = await makeRows(db.sql, stage.source, 3);
  const granted = await claimRows(service, name, [...ids, ids[0]]);
  assert.deepEqual(rowIds(granted), ids);
  for (const { fence, attempt, version, row } of granted) {
    assert.match(fence, new RegExp(`^${name}:[0-9]+$`));
    assert.deepEqual([attempt, version], [1, null]);
    assert.match(row.content as string, /^row [123]$/);
  }
  assert.deepEqual(await claimRows(service, name, ids), []);
  assert.equal((await claimRows(service, name, ids, { workType: "other" })).length, 3);
});

testSources("the next rows are those that nobody has", async (stage) => {
  const { db, service, source: { name } } = stage;
  const ids = await makeRows(db.sql, stage.source, 25);
  const named = await claimRows(service, name, ids.slice(0, 4));
  const next = [];
  for (let batch = 1; batch <= 4; batch++) next.push(...await claimNextRows(service, name, 7));
  assert.deepEqual(rowIds([...named, ...next]), ids);
  assert.deepEqual(await claimNextRows(service, name, 7), []);
  const late = await makeRows(db.sql, stage.source, 2);
  assert.deepEqual(rowIds(await claimNextRows(service, name, 7)), late);
});

testSources("each row of a lease gets its own outcome", async (stage) => {
  const { db, service, source: { name } } = stage;
  const clock = await testClock(db.sql);
  const ids = await makeRows(db.sql, stage.source, 6);
  const [done, failed, hopeless, handedBack, open, rest] = ids;
  const [{ fence }] = await claimRows(service, name, ids);
  const answer = await settleRows(service, fence, [
    { id: done, status: "succeeded" },
    { id: failed, status: "failed", error: "try later" },
    { id: hopeless, status: "failed", error: "never", permanent: true },
    { id: handedBack, status: "released" },
  ]);
  assert.deepEqual(answer, { settled: 4, lost: [], superseded: [] });
  const held = await service`select id from renew_rows(${fence}, 60) id`;
  assert.deepEqual(rowIds(held as never), [open, rest].sort());
  assert.equal((await settleRows(service, fence, [], "succeeded")).settled, 2);
  assert.deepEqual(rowIds(await claimRows(service, name, ids)), [handedBack]);

  const given = await service`select id, error from failed_rows(${name}, 'index')`;
  assert.deepEqual([...given], [{ id: hopeless, error: "never" }]);
  await clock.advance("2 s");
  const [again] = await claimNextRows(service, name, 9);
  assert.deepEqual([again.id, again.attempt], [failed, 2]);
  const [{ retried }] = await service`
    select retry_failed_rows(${name}, 'index', ${[hopeless, done]}) as retried`;
  assert.equal(retried, 1);
  assert.deepEqual(rowIds(await claimNextRows(service, name, 9)), [hopeless]);
});

testSources(
  "a lease that ran out is lost, and its rows come back with their attempts",
  async (stage) => {
    const { db, service, source: { name } } = stage;
    const clock = await testClock(db.sql);
    const ids = await makeRows(db.sql, stage.source, 2);
    const [{ fence }] = await claimNextRows(service, name, 2, { seconds: 10 });
    await clock.advance("10 s");
    const again = await claimNextRows(service, name, 2, { worker: "another" });
    assert.deepEqual(again.map(({ attempt }) => attempt), [2, 2]);
    const outcomes = ids.map((id) => ({ id, status: "succeeded" }));
    assert.deepEqual(
      await settleRows(service, fence, outcomes),
      { settled: 0, lost: ids, superseded: [] },
    );
    assert.deepEqual([...await service`select renew_rows(${fence})`], []);
    assert.equal((await settleRows(service, again[0].fence, outcomes)).settled, 2);
  },
);

testSources("a repeated request id returns the grant whose answer was lost", async (stage) => {
  const { db, service, source: { name } } = stage;
  const ids = await makeRows(db.sql, stage.source, 6);
  const named = await claimRows(service, name, ids.slice(0, 2), { requestId: "one" });
  assert.deepEqual(await claimRows(service, name, ids, { requestId: "one" }), named);
  const next = await claimNextRows(service, name, 2, { requestId: "two" });
  assert.deepEqual(await claimNextRows(service, name, 2, { requestId: "two" }), next);

  const both = () =>
    service`
      select settle_and_claim_rows(${next[0].fence}, '[]', 'succeeded', 'index', 'worker', 9,
        p_request_id => 'three') as answer`;
  const [{ answer }] = await both();
  assert.deepEqual([answer.settled, answer.lost, answer.superseded], [2, [], []]);
  assert.deepEqual(
    rowIds([...named, ...next, ...answer.rows]),
    ids,
  );
  const [{ answer: repeated }] = await both();
  assert.deepEqual(
    { ...repeated, lease_ms: answer.lease_ms },
    answer,
  );
});

testSources("a worker hands back all that it holds", async (stage) => {
  const { db, service, source: { name } } = stage;
  const ids = await makeRows(db.sql, stage.source, 3);
  await claimRows(service, name, ids);
  const [{ released }] = await service`
    select release_rows_for_worker(${name}, null, 'worker') as released`;
  assert.equal(released, 3);
  const again = await claimNextRows(service, name, 3);
  assert.deepEqual([rowIds(again), again[0].attempt], [ids, 1]);
});

testSources("what cannot be a key is refused with its path, and nothing happens", async (stage) => {
  const { db, service, source: { name, wrong } } = stage;
  const [id] = await makeRows(db.sql, stage.source, 1);
  const [{ fence }] = await claimRows(service, name, [id]);
  const settle = (outcomes: unknown) =>
    service`select settle_rows(${fence}, ${service.json(outcomes as never)})`;
  if (wrong) {
    await assertRefused(() => claimRows(service, name, [id, wrong]), "p_ids[1] must be ");
    await assertRefused(
      () => settle([{ id, status: "succeeded" }, { id: wrong, status: "failed" }]),
      name === "thoughts" ? "p_outcomes[1].id must be a uuid" : "p_outcomes[1].id must be ",
    );
  }
  await assertRefused(() => settle([{ id, status: "done" }]), "p_outcomes[0].status must be");
  await assertRefused(
    () => settle([{ id, status: "failed" }, { id, status: "failed" }]),
    "p_outcomes[1].id is named twice",
  );
  await assertRefused(() => settle({}), "p_outcomes must be a list");
  await assertRefused(() => settle([7]), "p_outcomes[0] must be an object");
  if (name !== "thoughts") {
    await assertRefused(
      () => settle([{ id, status: "succeeded", metadata: { a: 1 } }]),
      "p_outcomes[0].metadata goes with",
    );
  }
  const held = await service`select id from renew_rows(${fence}) id`;
  assert.deepEqual(rowIds(held as never), [id]);
});

testSources("a row that is deleted takes its claim along", async (stage) => {
  const { db, service, source: { name, table, key } } = stage;
  const [id, other] = await makeRows(db.sql, stage.source, 2);
  const [{ fence }] = await claimRows(service, name, [id, other]);
  await db.sql.unsafe(`delete from ${table} where ${key}::text = $1`, [id]);
  assert.deepEqual(
    await settleRows(service, fence, [{ id, status: "succeeded" }], "succeeded"),
    { settled: 1, lost: [id], superseded: [] },
  );
});

Deno.test("a source that is none, and a fence that is none, are refused", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  await assertRefused(() => claimNextRows(service, "nothing", 1), "p_source must be the name of");
  await assertRefused(() => service`select renew_rows('4711')`, "p_fence must be the fence");
  await assertRefused(() => service`select settle_rows('nothing:4711')`, "p_source must be");
});

testSources(
  "rows that failed for good are listed by page, and redriven at a rate",
  async (stage) => {
    const { db, service, source: { name } } = stage;
    const clock = await testClock(db.sql, { stopped: true });
    const ids = (await makeRows(db.sql, stage.source, 3)).toSorted();
    const [{ fence }] = await claimNextRows(service, name, 3);
    await settleRows(service, fence, [], "failed");
    const outcomes = ids.map((id) => ({ id, status: "failed", error: "never", permanent: true }));
    await clock.advance("1 hour");
    const [again] = await claimNextRows(service, name, 3);
    await settleRows(service, again.fence, outcomes);
    const list = async (cursor: string | null) => [
      ...await service`select id, cursor from failed_rows(${name}, 'index', p_limit => 2, p_cursor => ${cursor})`,
    ];
    const first = await list(null);
    const second = await list(first[1].cursor);
    assert.deepEqual([...first, ...second].map(({ id }) => id).toSorted(), ids);
    const [{ answer }] = await service`
    select redrive_rows(${name}, 'index', ${
      service.json({ ids })
    }, 1, p_dry_run => false) as answer`;
    assert.deepEqual([answer.rows, answer.more], [3, false]);
    const due = [];
    for (let second = 0; second < 3; second++) {
      due.push(...await claimNextRows(service, name, 9));
      assert.equal(due.length, second + 1);
      await clock.advance("1 s");
    }
    assert.deepEqual(rowIds(due).toSorted(), ids);
    assert.ok(due.every(({ attempt }) => attempt === 1));
  },
);
