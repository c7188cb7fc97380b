// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { contents } from "../support/contents.ts";
import {
  assertRefused,
  claim,
  enqueue,
  ids,
  renew,
  settle,
  statuses,
  testTasks,
} from "../support/tasks.ts";

/** The statements that existing clients send, as they stand in programs. */
async function liveAsATable(sql: Sql) {
  const [inserted] = await sql`
    insert into tasks (type, payload) values ('email', ${sql.json({ to: "a" })}) returning *`;
  assert.deepEqual([inserted.type, inserted.payload, inserted.status], [
    "email",
    { to: "a" },
    "pending",
  ]);
  await sql`insert into public.tasks (type, payload) select 'email', jsonb_build_object('n', n) from generate_series(1, 3) n`;
  await sql`insert into tasks ${sql({ type: "other", payload: {} })}`;

  const pending =
    await sql`select * from tasks where status = 'pending' order by created_at limit 10`;
  assert.equal(pending.length, 5);
  assert.deepEqual(
    ["id", "type", "payload", "status", "created_at", "started_at", "completed_at", "error"]
      .filter((column) => !(column in pending[0])),
    [],
  );

  const claimed = [];
  for (let n = 0; n < 4; n++) claimed.push(...await sql`select * from claim_task()`);
  assert.equal(claimed[0].id, inserted.id);
  assert.ok(claimed.every(({ status, started_at }) => status === "processing" && started_at));
  const stuck = await sql`
    select id from tasks where status = 'processing' and started_at < now() + interval '1 minute' order by id`;
  assert.deepEqual(
    ids(stuck as unknown as { id: string }[]),
    ids(claimed as unknown as { id: string }[]).toSorted(),
  );

  const reset = await sql`update tasks set status = 'pending', started_at = null where id = ${
    claimed[0].id
  }`;
  assert.equal(reset.count, 1);
  await sql`update tasks set status = 'completed', completed_at = now() where id = ${
    claimed[1].id
  }`;
  await sql`update tasks set status = 'failed', error = 'no luck', completed_at = now() where id = ${
    claimed[2].id
  }`;
  const counts = await sql`select status, count(*) from tasks group by status order by status`;
  assert.deepEqual(counts.map(({ status, count }) => [status, count]), [
    ["completed", "1"],
    ["failed", "1"],
    ["pending", "2"],
    ["processing", "1"],
  ]);
  const [failed] = await sql`select * from tasks where id = ${claimed[2].id}`;
  assert.equal(failed.error, "no luck");
  assert.ok(failed.completed_at && failed.started_at);
  const all =
    await sql`update tasks set status = 'pending', started_at = null where status = 'processing'`;
  assert.equal(all.count, 1);
  assert.equal((await sql`delete from tasks where status in ('completed', 'failed')`).count, 2);
  assert.equal((await sql`select * from tasks`).length, 3);
}

testTasks("role postgres uses tasks as if it were a table", ({ sql }) => liveAsATable(sql));

testTasks(
  "the service role uses tasks as if it were a table",
  (db) => liveAsATable(db.as("service_role")),
);

testTasks("psql uses tasks as if it were a table", async (db) => {
  const psql = async (statement: string) => {
    const { success, stdout, stderr } = await new Deno.Command("psql", {
      args: [db.url, "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim();
  };
  await psql(`insert into tasks (type, payload) values ('email', '{"to": "a"}'), ('email', '{}')`);
  const id = await psql(`select create_task('import', '{"file": 1}')`);
  assert.equal((await psql(`select * from tasks where status = 'pending'`)).split("\n").length, 3);
  await psql(`select * from claim_task()`);
  assert.equal(
    await psql(`select status, count(*) from tasks group by status order by status`),
    "pending|2\nprocessing|1",
  );
  await psql(`update tasks set status = 'pending', started_at = null where status = 'processing'`);
  await psql(`update tasks set status = 'completed', completed_at = now() where id = '${id}'`);
  await psql(
    `update tasks set status = 'failed', error = 'x' where id <> '${id}' and type = 'email'`,
  );
  assert.equal(
    await psql(`select status, count(*) from tasks group by status order by status`),
    "completed|1\nfailed|2",
  );
});

/** Brings a new task into a status; returns its id and, when a lease holds it, the fence. */
async function taskThatIs(sql: Sql, status: string): Promise<{ id: string; fence: string }> {
  const [id] = await enqueue(sql, "a", 1, { unique_key: crypto.randomUUID() });
  let fence = "0";
  if (status !== "pending") [{ fence }] = await claim(sql);
  if (status === "completed") await settle(sql, fence, [], "succeeded");
  if (status === "failed") await settle(sql, fence, [{ id, status: "failed", permanent: true }]);
  if (status === "cancelled") await sql`select cancel_tasks(array[${id}]::uuid[])`;
  assert.deepEqual(await statuses(sql, [id]), [status]);
  return { id, fence };
}

const STATUSES = ["pending", "processing", "completed", "failed", "cancelled"];

testTasks(
  "every status can be updated to every other one, but from an end to processing",
  async ({ sql }) => {
    for (const from of STATUSES) {
      for (const to of STATUSES) {
        const { id, fence } = await taskThatIs(sql, from);
        const update = sql`update tasks set status = ${to} where id = ${id}`;
        if (to === "processing" && !["pending", "processing"].includes(from)) {
          await assertRefused(update, "PT400", /^status must be .*/);
          assert.deepEqual(await statuses(sql, [id]), [from]);
        } else {
          assert.equal((await update).count, 1, `${from} to ${to}`);
          assert.deepEqual(await statuses(sql, [id]), [to], `${from} to ${to}`);
          const still = from === "processing" && to === "processing";
          assert.deepEqual(await renew(sql, fence), still ? [id] : [], `lease, ${from} to ${to}`);
        }
        await sql`delete from tasks where id = ${id}`;
        assert.deepEqual(await statuses(sql, [id]), ["gone"]);
      }
    }
  },
);

testTasks("moments can be set by hand, as of a stuck task or an old one", async ({ sql }) => {
  const [id] = await enqueue(sql, "a");
  await sql`
    update tasks set status = 'processing', started_at = now() - interval '1 hour' where id = ${id}`;
  const stuck = () =>
    sql`select id from tasks where status = 'processing' and started_at < now() - interval '30 min'`;
  assert.deepEqual(ids(await stuck() as never), [id]);
  assert.deepEqual(await claim(sql), []);
  await sql`update tasks set started_at = now() where id = ${id}`;
  assert.equal((await stuck()).length, 0);
  await sql`update tasks set status = 'completed' where id = ${id}`;
  await sql`update tasks set completed_at = now() - interval '40 days' where id = ${id}`;
  await sql`delete from tasks where completed_at < now() - interval '30 days'`;
  assert.deepEqual(await statuses(sql, [id]), ["gone"]);
});

testTasks(
  "a finished task set to pending has all its attempts and its unique key again",
  async ({ sql }) => {
    const [id] = await enqueue(sql, "a", 1, { unique_key: "k", max_attempts: 1 });
    await settle(sql, (await claim(sql))[0].fence, [], "failed");
    await sql`update tasks set status = 'pending' where id = ${id}`;
    assert.deepEqual(await enqueue(sql, "a", 1, { unique_key: "k" }), [id]);
    const [{ attempt, fence }] = await claim(sql);
    assert.equal(attempt, 1);
    await settle(sql, fence, [], "succeeded");
    const [other] = await enqueue(sql, "a", 1, { unique_key: "k" });
    // Now the key is another task's: the update finds no row it may change.
    assert.equal((await sql`update tasks set status = 'pending' where id = ${id}`).count, 0);
    assert.deepEqual(await statuses(sql, [id, other]), ["completed", "pending"]);
  },
);

testTasks(
  "a waiting task stays where it waits, unless it is given another time",
  async ({ sql }) => {
    const clock = await testClock(sql);
    const [id] = await enqueue(sql, "a", 1, {
      run_at: new Date(Date.now() + 3_600_000).toISOString(),
    });
    await sql`update tasks set status = 'pending', started_at = null where id = ${id}`;
    assert.deepEqual(await claim(sql), [], "a reset of what is not stuck makes nothing due");
    await sql`update tasks set run_at = ${new Date(Date.now() + 60_000)} where id = ${id}`;
    assert.deepEqual(await claim(sql), []);
    await clock.advance("61 s");
    assert.deepEqual(ids(await claim(sql)), [id]);
  },
);

testTasks("writes that cannot be are refused, and nothing changes", async ({ sql }) => {
  const { id } = await taskThatIs(sql, "processing");
  const before = await contents(sql);
  const refused = (statement: PromiseLike<unknown>, message: RegExp) =>
    assertRefused(statement, "PT400", message);
  await refused(sql`update tasks set status = 'done' where id = ${id}`, /^status/);
  await refused(sql`update tasks set status = null where id = ${id}`, /^status/);
  for (const column of ["type", "unique_key", "worker_id"]) {
    await refused(
      sql`update tasks set ${sql({ [column]: "b" })} where id = ${id}`,
      /cannot be changed/,
    );
  }
  for (const column of ["payload", "result", "progress"]) {
    await refused(
      sql`update tasks set ${sql(column)} = '[1]'::jsonb where id = ${id}`,
      /cannot be changed/,
    );
  }
  await refused(sql`update tasks set id = gen_random_uuid() where id = ${id}`, /cannot be changed/);
  await refused(sql`insert into tasks (id, type) values (gen_random_uuid(), 'a')`, /^a new task/);
  await refused(sql`insert into tasks (type, created_at) values ('a', now())`, /^a new task/);
  await refused(sql`insert into tasks (type, status) values ('a', 'completed')`, /^status/);
  await refused(sql`insert into tasks (payload) values ('{}')`, /type must not be empty/);
  await refused(sql`insert into tasks (type, max_attempts) values ('a', 0)`, /max_attempts/);
  assert.deepEqual(await contents(sql), before);
});
