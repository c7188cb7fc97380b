import assert from "node:assert/strict";
import { claim, enqueue, enqueueSingles, settle, testTasks } from "../support/tasks.ts";
import { testClock } from "../support/clock.ts";
import { eventually } from "../support/eventually.ts";

testTasks("a claim that names no type takes what is oldest, whatever its type", async (db) => {
  const order: string[] = [];
  for (const type of ["b", "a", "c", "a", "b"]) {
    order.push(...await enqueueSingles(db.sql, type, 1));
  }
  const [oldest] = await claim(db.sql);
  assert.equal(oldest.id, order[0]);
  const rest = await claim(db.sql, { limit: 3 });
  assert.deepEqual(rest.map(({ id }) => id), order.slice(1, 4));
});

testTasks("what is most urgent goes first, however many types there are", async (db) => {
  await enqueue(db.sql, "a", 20, { priority: 5 });
  await claim(db.sql, { limit: 10 });
  const urgent = await enqueue(db.sql, "b", 1, { priority: -5 });
  for (const types of [null, ["a", "b"]]) {
    const [task] = await claim(db.sql, { types });
    assert.equal(task.id, urgent[0], `types ${types}`);
    await settle(db.sql, task.fence, [], "released");
  }
});

testTasks("a type without a name is no type", async (db) => {
  await enqueue(db.sql, "a", 3);
  assert.deepEqual(await claim(db.sql, { types: [""], limit: 3 }), []);
  assert.deepEqual(await claim(db.sql, { types: [], limit: 3 }), []);
  assert.equal((await claim(db.sql, { types: ["", "a"], limit: 3 })).length, 3);
});

testTasks("sixteen workers that come at once each find a task of a hundred", async (db) => {
  await enqueue(db.sql, "a", 100);
  const workers = Array.from({ length: 16 }, () => db.connect());
  // Nobody commits before all have claimed, and nobody waits.
  for (const [n, worker] of workers.entries()) {
    await worker`begin`;
    await worker`set local lock_timeout = '1s'`;
    // The first ones cut the runs; those who come later find no piece of theirs committed yet.
    if (n < 10) assert.equal((await claim(worker)).length, 1, `worker ${n + 1}`);
  }
  for (const worker of workers) await worker`commit`;
  const granted = await Promise.all(workers.map((worker) => claim(worker)));
  assert.equal(new Set(granted.flat().map(({ id }) => id)).size, 16);
});

testTasks("a run that was cut is left in pieces that the next claims need not cut", async (db) => {
  await enqueue(db.sql, "a", 1000);
  await claim(db.sql, { limit: 30 });
  const pieces = await db.sql`
    select (upper(run) - lower(run))::int as tasks from dibs.ready order by run_at, lower(run)`;
  assert.deepEqual(pieces.slice(0, 4).map(({ tasks }) => tasks), [30, 30, 10, 100]);
});

testTasks(
  "a claim gets what it asked for, also where a run is shorter than the hint says",
  async (db) => {
    // The clock stands still, so that hints stay new.
    await testClock(db.sql);
    await enqueue(db.sql, "a", 1000);
    const granted = [];
    for (let n = 0; n < 5; n++) granted.push(await claim(db.sql, { limit: 30 }));
    assert.deepEqual(granted.map(({ length }) => length), [30, 30, 30, 30, 30]);
    assert.equal(new Set(granted.flat().map(({ id }) => id)).size, 150);
    // The claim that took the short one and a part of the next cut that for whole claims to come.
    const pieces = await db.sql`
    select (upper(run) - lower(run))::int as tasks from dibs.ready order by run_at, lower(run)`;
    assert.deepEqual(pieces.slice(0, 3).map(({ tasks }) => tasks), [30, 20, 100]);
  },
);

testTasks("claims by a new hint wait for nobody, and get what others give up", async (db) => {
  await testClock(db.sql, { stopped: true });
  const order = await enqueue(db.sql, "a", 200);
  await claim(db.sql);
  // What follows is the usual claim alone.
  await db.sql`drop function dibs.take_tasks(text[], int, int)`;
  const [a, b] = [db.connect(), db.connect()];
  await b`set lock_timeout = '1s'`;
  await a`begin`;
  assert.deepEqual((await claim(a)).map(({ id }) => id), [order[1]]);
  assert.deepEqual((await claim(b)).map(({ id }) => id), [order[2]]);
  await a`rollback`;
  assert.deepEqual((await claim(b)).map(({ id }) => id), [order[1]]);
});

testTasks("what is more urgent goes first, also where a hint is new", async (db) => {
  await testClock(db.sql, { stopped: true });
  await enqueue(db.sql, "a", 20, { priority: 5 });
  for (const types of [null, ["a"]]) {
    await claim(db.sql, { types });
    await claim(db.sql, { types });
    const [urgent] = await enqueue(db.sql, "a", 1, { priority: types ? 1 : 2 });
    assert.deepEqual((await claim(db.sql, { types })).map(({ id }) => id), [urgent]);
  }
});

testTasks("an idle poll writes nothing", async (db) => {
  await enqueue(db.sql, "a", 1);
  const [task] = await claim(db.sql);
  await settle(db.sql, task.fence, [], "succeeded");
  const clock = await testClock(db.sql);
  const poller = db.connect();
  for (const types of [null, ["a"], ["a", "b"]]) {
    await clock.advance("10 s");
    // One that was held up says so, in a row.
    await eventually(`a poll for ${types} that writes nothing`, async () => {
      await poller`begin`;
      assert.deepEqual(await claim(poller, { types }), []);
      const [{ rows }] = await poller`
        select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int as rows
        from pg_stat_xact_user_tables`;
      await poller`commit`;
      return rows === 0;
    });
  }
});
