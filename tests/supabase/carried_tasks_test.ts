// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";
import { testClock } from "../support/clock.ts";
import { contents } from "../support/contents.ts";
import { freshDatabase } from "../support/database.ts";
import { assertInvariants } from "../support/invariants.ts";
import { startBlocked } from "../support/locks.ts";
import { byFormerId, plainTasks } from "../support/plain_tasks.ts";
import { supabaseCli } from "../support/supabase_cli.ts";
import { claim, ids, settle } from "../support/tasks.ts";

const migrations = await listMigrations();
const view = migrations.findIndex(({ name }) => name.endsWith("_tasks_view.sql"));

Deno.test("supabase db push carries the tasks of a plain table over, none lost and each as it was", async () => {
  await using db = await plainTasks(2_501);
  const { code, said } = await supabaseCli(db.url, "db", "push");
  assert.equal(code, 0, said);
  const after = await byFormerId(db.sql, "tasks");
  assert.equal(after.length, 2_501);
  assert.deepEqual(after, await byFormerId(db.sql, "tasks_before_dibs"));
  await assertInvariants(db.sql);

  const counts = await db.sql`select status, tasks::int from public.task_counts() where tasks > 0`;
  assert.deepEqual(Object.fromEntries(counts.map(({ status, tasks }) => [status, tasks])), {
    pending: 1_001,
    processing: 250,
    completed: 1_000,
    failed: 250,
  });
});

Deno.test("those that wait are claimed in the order of created_at, whatever their types", async () => {
  await using db = await plainTasks(300);
  const waiting = await db.sql`
    select payload ->> 'n' as n from public.tasks where status = 'pending' order by created_at, id`;
  await applyMigrations(db.sql, migrations);
  const claimed = [];
  for (let n = 0; n < waiting.length; n++) {
    const [{ payload }] = await db.sql`select payload from public.claim_task()`;
    claimed.push(String(payload.n));
  }
  assert.deepEqual(claimed, waiting.map(({ n }) => n));
  assert.deepEqual(await claim(db.sql), []);
  await assertInvariants(db.sql);
});

Deno.test("those somebody was at are tried again when their lease has run out", async () => {
  await using db = await plainTasks(2_000);
  const wanted = await db.sql`select id from public.tasks where status = 'processing' order by id`;
  await applyMigrations(db.sql, migrations);
  const clock = await testClock(db.sql);
  await db
    .sql`select public.cancel_tasks(array(select id from public.tasks where status = 'pending' limit 1000))`;
  assert.deepEqual(await claim(db.sql, { limit: 1000 }), []);
  const [{ stuck }] = await db.sql`
    select count(*)::int as stuck from public.tasks
    where status = 'processing' and started_at < now() - interval '1 day' and worker_id = 'before-dibs'`;
  assert.equal(stuck, wanted.length);

  await clock.advance("16 min");
  const again = await claim(db.sql, { limit: 1000 });
  assert.ok(again.every(({ attempt }) => attempt === 2));
  const keys = await db.sql`select unique_key from public.tasks where id = any (${ids(again)})`;
  assert.deepEqual(keys.map(({ unique_key }) => unique_key).sort(), wanted.map(({ id }) => id));
  await assertInvariants(db.sql);
});

Deno.test("a carried task is settled, retried and found by its former id like any other", async () => {
  await using db = await plainTasks(10);
  const [{ id: former }] = await db.sql`select id from public.tasks where status = 'failed'`;
  await applyMigrations(db.sql, migrations);
  const found = () =>
    db.sql`select id, status, attempts from public.tasks where unique_key = ${former}`;
  const [failed] = await found();
  assert.deepEqual([failed.status, failed.attempts], ["failed", 1]);
  await db.sql`select public.retry_tasks(array[${failed.id}]::uuid[])`;
  const granted = await claim(db.sql, { limit: 10 });
  assert.ok(ids(granted).includes(failed.id));
  assert.deepEqual(await settle(db.sql, granted[0].fence, [], "succeeded"), {
    settled: granted.length,
    lost: [],
  });
  assert.equal((await found())[0].status, "completed");
  await assertInvariants(db.sql);
});

Deno.test("the table stays under another name as it was, and the functions that worked on it make way", async () => {
  await using db = await plainTasks(100, "exposed");
  const table = (name: string) =>
    db.sql`
    select relacl::text[] as privileges, relrowsecurity as secured,
      (select md5(string_agg(t::text, '|' order by t.id)) from ${db.sql(name)} t) as rows
    from pg_class where oid = ${name}::regclass`;
  const before = [...await table("tasks")];
  await applyMigrations(db.sql, migrations);
  assert.deepEqual([...await table("tasks_before_dibs")], before);

  const functions = await db.sql`
    select oid::regprocedure::text as name, pg_get_function_result(oid) as result,
      has_function_privilege('anon', oid, 'execute') as open
    from pg_proc where proname ~ '^(claim|create)_task' and pronamespace = 'public'::regnamespace
      and proname <> 'claim_tasks' order by 1`;
  assert.deepEqual(functions.map(({ name, result, open }) => [name, result, open]), [
    ["claim_task()", "SETOF tasks", false],
    ["claim_task_before_dibs()", "SETOF tasks_before_dibs", false],
    ["create_task(text,jsonb,integer,timestamp with time zone,integer,text,jsonb)", "uuid", false],
    ["create_task_before_dibs(text,jsonb)", "uuid", false],
  ]);
  const [{ created }] = await db.sql`select public.create_task('email', '{}') as created`;
  assert.equal((await db.sql`select from public.tasks where id = ${created}`).length, 1);
});

Deno.test("applied again, nothing is carried twice", async () => {
  await using db = await plainTasks(100);
  await applyMigrations(db.sql, migrations);
  const before = await contents(db.sql);
  await applyMigrations(db.sql, migrations);
  assert.deepEqual(await contents(db.sql), before);
});

Deno.test("a table of four columns is enough, and one without rows is no trouble", async () => {
  for (const count of [3, 0]) {
    await using db = await freshDatabase({ migrated: false });
    await db.sql.unsafe(`
      create table public.tasks (status varchar(20), payload jsonb, id uuid primary key, type varchar);
      insert into public.tasks select 'completed', '{"n": 1}', gen_random_uuid(), 'email' from generate_series(1, ${count})`);
    await applyMigrations(db.sql, migrations);
    const tasks = await db.sql`select * from public.tasks`;
    assert.equal(tasks.length, count);
    for (const { type, status, payload, created_at, completed_at } of tasks) {
      assert.deepEqual([type, status, payload], ["email", "completed", { n: 1 }]);
      assert.deepEqual(completed_at, created_at);
    }
    await assertInvariants(db.sql);
  }
});

Deno.test("until its rows are carried the table is the project's, open to whom it was open", async () => {
  await using db = await plainTasks(20, "exposed");
  const anon = db.as("anon");
  for (const migration of migrations.slice(0, view)) {
    await applyMigrations(db.sql, [migration]);
    const [{ count }] = await anon`select count(*)::int from public.tasks`;
    assert.equal(count, 20, migration.name);
  }
});

Deno.test("whoever writes to the table while it is carried over writes a task of Dibs", async () => {
  await using db = await plainTasks(20);
  await applyMigrations(db.sql, migrations.slice(0, view));
  const migrator = db.connect();
  await migrator`begin`;
  await applyMigrations(migrator, [migrations[view]]);
  const { done } = await startBlocked(
    db.sql,
    db.connect(),
    (client) => client`insert into public.tasks (type, payload) values ('late', '{}')`,
  );
  await migrator`commit`;
  await done;
  await applyMigrations(db.sql, migrations.slice(view + 1));
  const [late] = await db.sql`select status from public.tasks where type = 'late'`;
  assert.equal(late.status, "pending");
  assert.equal((await db.sql`select from public.tasks`).length, 21);
  await assertInvariants(db.sql);
});
