// What each action of the dashboard does, by what the database says afterwards.
import assert from "node:assert/strict";
import postgres from "postgres";
import { ACTIONS } from "../../../scripts/dashboard/actions.ts";
import { asker, tokenOf } from "../../support/dashboard.ts";
import { testStack } from "../../support/stack.ts";

Deno.test("the dashboard's actions", async (t) => {
  await using stack = await testStack();
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using parts = new AsyncDisposableStack();
  parts.defer(() => sql.end());
  const ask = asker(stack);
  const headers = { "x-dibs-token": await tokenOf(ask) };
  const tried = new Set<string>();

  const act = async (name: string, body: unknown) => {
    tried.add(name);
    const response = await ask("POST", `api/${name}`, { headers, body });
    const answer = await response.json();
    assert.equal(response.status, 200, JSON.stringify(answer));
    return answer.done;
  };
  const make = async (type: string, key: string | null = null) => {
    const tasks = [{ type, ...key && { key }, max_attempts: 1 }];
    const [{ id }] = await sql`select id from enqueue_tasks(${sql.json(tasks)})`;
    return id as string;
  };
  const claim = (type: string, worker: string) =>
    sql`select id, fence from claim_tasks(${worker}, ${[type]}, 100)`;
  const fail = async (type: string) => {
    const id = await make(type);
    const [{ fence }] = await claim(type, "worker-1");
    await sql`select settle_lease(${fence}, p_rest => 'failed')`;
    return id;
  };
  const look = async (id: string) => {
    const [task] = await sql`select type, status, attempts from tasks where id = ${id}`;
    return [task.type, task.status, task.attempts];
  };

  await t.step("cancel a task, and retry it", async () => {
    const id = await make("a");
    assert.deepEqual(await act("cancel_tasks", { ids: [id] }), [id]);
    assert.deepEqual(await look(id), ["a", "cancelled", 0]);
    assert.deepEqual(await act("retry_tasks", { ids: [id] }), [id]);
    assert.deepEqual(await look(id), ["a", "pending", 0]);
  });

  await t.step("redrive a task, as another type too, and only after a dry run", async () => {
    const id = await fail("b");
    const filter = { ids: [id] };
    assert.equal((await act("redrive_tasks", { filter, dry_run: true })).tasks, 1);
    assert.deepEqual(await look(id), ["b", "failed", 1]);
    assert.equal((await act("redrive_tasks", { filter, type: "b2", dry_run: false })).tasks, 1);
    assert.deepEqual(await look(id), ["b2", "pending", 0]);
  });

  await t.step("cancel all that fit, and nothing else", async () => {
    const ids = [await make("c"), await make("c"), await make("other")];
    const filter = { types: ["c"] };
    assert.equal((await act("cancel_tasks_where", { filter, dry_run: true })).tasks, 2);
    assert.equal((await act("cancel_tasks_where", { filter, dry_run: false })).tasks, 2);
    assert.deepEqual((await Promise.all(ids.map(look))).map(([, status]) => status), [
      "cancelled",
      "cancelled",
      "pending",
    ]);
  });

  await t.step("release what a worker holds, tasks and rows", async () => {
    const id = await make("d");
    await claim("d", "gone");
    await sql`insert into thoughts (content) values ('one'), ('two')`;
    await sql`select claim_next_thoughts('enrichment', 'gone', 2)`;
    assert.deepEqual(await act("release_worker", { worker_id: "gone" }), { tasks: 1, rows: 2 });
    assert.deepEqual(await look(id), ["d", "pending", 0]);
    const [{ claims }] = await sql`
      select count(*)::int as claims from thought_work_claims where worker_id = 'gone'`;
    assert.equal(claims, 0);
  });

  await t.step("redrive rows that failed for good", async () => {
    const rows = await sql`
      select fence from claim_next_thoughts('summary', 'worker-1', 2, p_max_attempts => 1)`;
    await sql`select settle_lease(${rows[0].fence}, p_rest => 'failed')`;
    const body = { source: "thoughts", work_type: "summary", filter: { statuses: ["failed"] } };
    assert.equal((await act("redrive_rows", { ...body, dry_run: true })).rows, 2);
    assert.equal((await act("redrive_rows", { ...body, dry_run: false })).rows, 2);
    assert.equal((await act("redrive_rows", { ...body, dry_run: true })).rows, 0);
  });

  await t.step("pause and resume a type, a key of it, and everything", async () => {
    const paused = async () =>
      (await sql`select type, key from task_gates() where paused_at is not null order by 1, 2`)
        .map(({ type, key }) => [type, key]);
    await act("pause_tasks", { type: "e" });
    await act("pause_tasks", { type: "e", key: "k" });
    await act("pause_tasks", {});
    assert.deepEqual(await paused(), [["e", "k"], ["e", null], [null, null]]);
    assert.equal(await act("resume_tasks", {}), true);
    assert.equal(await act("resume_tasks", { type: "e", key: "k" }), true);
    assert.deepEqual(await paused(), [["e", null]]);
    assert.equal(await act("resume_tasks", { type: "e" }), true);
    assert.deepEqual(await paused(), []);
  });

  await t.step("pause and resume work on a source, and on a key of it", async () => {
    const gate = { source: "thoughts", work_type: "enrichment" };
    await sql`select dibs.set_row_key('thoughts', $$metadata ->> 'tenant'$$)`;
    const paused = async () =>
      (await sql`select work_type, key from claim_gates() where paused_at is not null order by 2`)
        .map(({ work_type, key }) => [work_type, key]);
    await act("pause_claims", gate);
    await act("pause_claims", { ...gate, key: "k" });
    assert.deepEqual(await paused(), [["enrichment", "k"], ["enrichment", null]]);
    assert.equal(await act("resume_claims", gate), true);
    assert.deepEqual(await paused(), [["enrichment", "k"]]);
    assert.equal(await act("resume_claims", { ...gate, key: "k" }), true);
    assert.deepEqual(await paused(), []);
  });

  await t.step("pause and resume a schedule, and run it now", async () => {
    await sql`select put_schedule('nightly', '0 0 * * *', 'report')`;
    const paused = async () => (await sql`select paused from schedules()`)[0].paused;
    assert.equal(await act("pause_schedule", { name: "nightly" }), true);
    assert.equal(await paused(), true);
    assert.ok(Date.parse(await act("resume_schedule", { name: "nightly" })) > Date.now());
    assert.equal(await paused(), false);
    const id = await act("run_schedule_now", { name: "nightly" });
    assert.deepEqual(await look(id), ["report", "pending", 0]);
  });

  await t.step("say of an effect in doubt whether it happened", async () => {
    const of = await fail("f");
    const park = (key: string) =>
      sql`
        insert into dibs.effect (id, key, mode, state, fence, begun_at)
        values (${of}, ${key}, 'at_most_once', 'parked', 1, now())`;
    await Promise.all([park("card"), park("email")]);
    const done = { id: of, key: "card", happened: true, result: { paid: 7 } };
    assert.equal(await act("settle_effect", done), false);
    assert.deepEqual(await look(of), ["f", "failed", 1]);
    const not = { id: of, key: "email", happened: false };
    assert.equal(await act("settle_effect", not), true);
    assert.deepEqual(await look(of), ["f", "pending", 0]);
    const effects =
      await sql`select key, state, result from dibs.effect where id = ${of} order by 1`;
    assert.deepEqual(effects.map(({ key, state, result }) => [key, state, result]), [
      ["card", "done", { paid: 7 }],
      ["email", "not_done", null],
    ]);
  });

  await t.step("refuse a body that says more or less than they take", async () => {
    const wrong: Record<string, unknown[]> = {
      cancel_tasks: [{}, { ids: [] }, { ids: ["x"] }, { ids: [crypto.randomUUID()], also: 1 }],
      redrive_tasks: [{ filter: {} }, { filter: [], dry_run: true }, { dry_run: true }],
      settle_effect: [{}, { id: crypto.randomUUID(), key: "k" }, { key: "k", happened: true }],
      release_worker: [{}, { worker_id: "" }, { worker_id: 7 }],
      pause_claims: [{}, { work_type: "x" }],
      run_schedule_now: [{}, null, []],
    };
    for (const [name, bodies] of Object.entries(wrong)) {
      for (const body of bodies) {
        const { status } = await ask("POST", `api/${name}`, { headers, body });
        assert.equal(status, 400, `${name} ${JSON.stringify(body)}`);
      }
    }
  });

  await t.step("were all tried here", () => {
    assert.deepEqual([...tried].sort(), Object.keys(ACTIONS).sort());
  });
});
