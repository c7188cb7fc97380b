// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";
import { contents } from "../support/contents.ts";
import { freshDatabase } from "../support/database.ts";
import { assertInvariants } from "../support/invariants.ts";
import { plainTasks } from "../support/plain_tasks.ts";

const migrations = await listMigrations();
const [first] = migrations;
const view = migrations.findIndex(({ name }) => name.endsWith("_tasks_view.sql"));

/** What a project may have that cannot come along, what it is told, and how that is mended. */
const OBSTACLES: [string, RegExp, string][] = [
  [
    "alter table public.tasks add note text",
    /have no column note: put it into payload, and drop it/,
    "alter table public.tasks drop note",
  ],
  [
    "alter table public.tasks rename payload to body",
    /it has no column payload of type jsonb\n- tasks of Dibs have no column body/,
    "alter table public.tasks rename body to payload",
  ],
  [
    "alter table public.tasks alter completed_at type timestamp",
    /completed_at is of type timestamp without .*: alter table public.tasks alter completed_at type timestamp with /,
    "alter table public.tasks alter completed_at type timestamp with time zone",
  ],
  [
    "alter table public.tasks alter payload drop default, alter payload type json",
    /its column payload is of type json: /,
    "alter table public.tasks alter payload type jsonb, alter payload set default '{}'",
  ],
  [
    "alter table public.tasks drop constraint tasks_pkey",
    /its primary key is not id: alter table public.tasks add primary key \(id\)/,
    "alter table public.tasks add primary key (id)",
  ],
  [
    "create unique index one_of_a_kind on public.tasks (type, payload)",
    /its index public.one_of_a_kind keeps more unique than ids/,
    "drop index public.one_of_a_kind",
  ],
  [
    "create trigger untouched before update on public.tasks execute function suppress_redundant_updates_trigger()",
    /it has the trigger untouched, /,
    "drop trigger untouched on public.tasks",
  ],
  [
    "create policy mine on public.tasks using (true)",
    /its policy mine lets users in, /,
    "drop policy mine on public.tasks",
  ],
  [
    "create publication live for table public.tasks",
    /alter publication live drop table public.tasks/,
    "alter publication live drop table public.tasks",
  ],
  [
    "create view public.open_tasks as select id from public.tasks",
    /view public.open_tasks depends on it/,
    "drop view public.open_tasks",
  ],
  [
    "create table public.notes (task uuid references public.tasks)",
    /constraint notes_task_fkey on table public.notes depends on it/,
    "drop table public.notes",
  ],
  [
    "create function public.newest() returns public.tasks language sql as 'select * from public.tasks'",
    /function public.newest\(\) depends on it/,
    "drop function public.newest()",
  ],
  [
    "create table public.tasks_before_dibs (id int)",
    /there is a public.tasks_before_dibs/,
    "drop table public.tasks_before_dibs",
  ],
  [
    "insert into public.tasks (type) values (' '), (repeat('x', 101)), (E'a\\nb')",
    /3 of its rows have a type that is not 1 to 100 printable characters, such as [-0-9a-f]{36}: /,
    "delete from public.tasks where type !~ '^\\w{1,100}$'",
  ],
  [
    "alter table public.tasks alter payload drop not null; insert into public.tasks (type, payload) values ('a', null)",
    /1 of its rows have no payload, .*: update public.tasks set payload = '{}' where payload is null/,
    "update public.tasks set payload = '{}' where payload is null",
  ],
  [
    `alter table public.tasks drop constraint status_is_known, alter status drop not null;
    insert into public.tasks (type, status) values ('a', null), ('a', 'done'), ('b', 'done')`,
    /2 of its rows have the status 'done', .*\n- 1 of its rows have the status null, /,
    "update public.tasks set status = 'completed' where status is null or status = 'done'",
  ],
];

Deno.test("what cannot come along is told with its mend before anything changes, and mended it can", async () => {
  await using db = await plainTasks(20, "exposed");
  const trial = db.connect();
  for (const [plant, told, mend] of OBSTACLES) {
    await db.sql.unsafe(plant);
    const before = await state(db.sql);
    await assert.rejects(applyMigrations(db.sql, [first]), (error: Error) => {
      assert.match(
        error.message,
        /^there is a public\.tasks already, and Dibs cannot take it over:\n- /,
      );
      assert.match(error.message, told);
      return true;
    });
    assert.deepEqual(await state(db.sql), before, plant);
    await db.sql.unsafe(mend);
    await trial.unsafe(`begin; ${first.text}; rollback`);
  }
  await applyMigrations(db.sql, migrations);
  await assertInvariants(db.sql);
});

Deno.test("what is called tasks and is no plain table is refused", async () => {
  for (
    const tasks of [
      "create view public.tasks as select 1 as id",
      "create table public.tasks (id uuid, type text) partition by list (type)",
    ]
  ) {
    await using db = await freshDatabase({ migrated: false });
    await db.sql.unsafe(tasks);
    await assert.rejects(
      applyMigrations(db.sql, [first]),
      /\n- it is not a plain table: rename it$/,
    );
  }
});

Deno.test("a row that came after the first look stops the push where it is, with nothing lost", async () => {
  await using db = await plainTasks(20);
  await applyMigrations(db.sql, migrations.slice(0, view));
  await db.sql`alter table public.tasks drop constraint status_is_known`;
  await db.sql`insert into public.tasks (type, status) values ('late', 'paused')`;
  const before = await contents(db.sql);
  await assert.rejects(applyMigrations(db.sql, [migrations[view]]), /the status 'paused'/);
  assert.deepEqual(await contents(db.sql), before);
  await db.sql`update public.tasks set status = 'pending' where status = 'paused'`;
  await applyMigrations(db.sql, migrations.slice(view));
  assert.equal((await db.sql`select from public.tasks where type = 'late'`).length, 1);
});

/** What a refusal must not touch. */
async function state(sql: Sql) {
  const [catalog] = await sql`
    select to_regnamespace('dibs') is null as untouched, relacl::text[] as privileges, relrowsecurity as secured
    from pg_class where oid = to_regclass('public.tasks')`;
  return { catalog, rows: await contents(sql) };
}
