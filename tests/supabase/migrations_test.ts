// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { schemaSql } from "../../scripts/generate/schema_sql.ts";
import { migrate } from "../../scripts/stack/migrate.ts";
import { contents } from "../support/contents.ts";
import { freshDatabase } from "../support/database.ts";
import { grantsOf } from "../support/grants.ts";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";
import { startBlocked } from "../support/locks.ts";
import { scratchProject } from "../support/project.ts";
import { OLDER_CLIENT } from "../support/older_client.ts";
import { supabaseCli } from "../support/supabase_cli.ts";
import { someOfEverything } from "../support/some_of_everything.ts";
import { claimNamed, makeThoughts, release, WORK } from "../support/thoughts.ts";

const BEGINNING = `set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));
`;

Deno.test("a migration's name is its time and its subject, and no two share either", async () => {
  const parts = (await listMigrations()).map(({ name }) => {
    const [, time, subject] = name.match(/^(\d{14})_([a-z]+(?:_[a-z]+)*)\.sql$/) ?? [];
    assert(time, `${name} is named like 20261121000100_schema.sql`);
    const [, ...parts] = time.match(/(....)(..)(..)(..)(..)(..)/)!.map(Number);
    const [year, month, day, hours, minutes, seconds] = parts;
    const moment = new Date(Date.UTC(year, month - 1, day, hours, minutes, seconds));
    assert.equal(moment.toISOString().replace(/\D|...Z/g, ""), time, `${name} is of a moment`);
    return { time, subject };
  });
  assert.equal(new Set(parts.map(({ time }) => time)).size, parts.length);
  assert.equal(new Set(parts.map(({ subject }) => subject)).size, parts.length);
});

Deno.test("a migration begins by limiting how long it waits, then takes its turn, and ends by closing what it made", async () => {
  const [first, ...others] = await listMigrations();
  const withoutComments = (text: string) => text.replaceAll(/^--.*\n|^\n/gm, "");
  for (const { name, text } of [first, ...others]) {
    assert.ok(withoutComments(text).startsWith(BEGINNING), name);
  }
  // What the first one makes, the second one closes.
  for (const { name, text } of others) assert.match(text, /\n\nselect dibs\.seal\(\);\n$/, name);
});

Deno.test("two who migrate at once take turns, and both get to the end", async () => {
  await using db = await freshDatabase();
  const migrations = await listMigrations();
  const [one, other] = [db.connect(), db.connect()];
  await one`begin`;
  await applyMigrations(one, migrations.slice(0, 1));
  const { done } = await startBlocked(db.sql, other, (sql) => applyMigrations(sql, migrations));
  await one`commit`;
  await done;
});

for (const regime of ["hidden", "exposed"] as const) {
  Deno.test(`applying any migration again changes nothing, where new objects are ${regime}`, async () => {
    await using db = await freshDatabase({ regime });
    await someOfEverything(db.sql);
    const before = await everything(db.sql);
    for (
      const table of ["public.tasks", "public.thought_work_claims", "dibs.attempt", "dibs.request"]
    ) {
      const [{ n }] = await db.sql.unsafe(`select count(*)::int as n from ${table}`);
      assert(n > 0, `${table} has rows`);
    }
    for (const migration of await listMigrations()) {
      await applyMigrations(db.sql, [migration]);
      assert.deepEqual(await everything(db.sql), before, migration.name);
    }
  });
}

for (const regime of ["hidden", "exposed"] as const) {
  Deno.test(`supabase db push applies every migration once to an empty project, where new objects are ${regime}`, async () => {
    await using db = await freshDatabase({ migrated: false, regime });
    const first = await supabaseCli(db.url, "db", "push");
    assert.equal(first.code, 0, first.said);
    const before = await everything(db.sql);
    const history = await historyOf(db.sql);
    assert.deepEqual(history, (await listMigrations()).map(({ name }) => name));

    const second = await supabaseCli(db.url, "db", "push");
    assert.equal(second.code, 0, second.said);
    assert.match(second.said, /up to date/);
    assert.deepEqual(await everything(db.sql), before);
    assert.deepEqual(await historyOf(db.sql), history);

    const { said } = await supabaseCli(db.url, "migration", "list");
    const listed = [...said.matchAll(/`(\d{14})` *\| *`(\d{14})` *\| *`([^`]+)`/g)];
    assert.deepEqual(listed.map(([, local]) => local), history.map((name) => name.slice(0, 14)));
    for (const [, local, remote, time] of listed) {
      assert.deepEqual([remote, time.replace(/\D/g, "")], [local, local], said);
    }
  });
}

Deno.test("a push that finds a table in use gives up soon, and the next one goes on where it stopped", async () => {
  await using db = await freshDatabase({ migrated: false });
  await db.sql.unsafe(OLDER_CLIENT);
  const stalled = db.connect();
  await stalled`begin`;
  await stalled`insert into public.thoughts (content) values ('not committed yet')`;
  const first = await supabaseCli(db.url, "db", "push");
  assert.notEqual(first.code, 0);
  assert.match(first.said, /canceling statement due to lock timeout/);
  const applied = await historyOf(db.sql);
  const all = (await listMigrations()).map(({ name }) => name);
  assert.ok(applied.length < all.length);
  assert.deepEqual(applied, all.slice(0, applied.length));

  await stalled`commit`;
  const second = await supabaseCli(db.url, "db", "push");
  assert.equal(second.code, 0, second.said);
  assert.deepEqual(await historyOf(db.sql), all);
});

Deno.test("claims of older clients stay what they are, and go on under Dibs", async () => {
  await using db = await freshDatabase({ migrated: false, regime: "exposed" });
  await db.sql.unsafe(OLDER_CLIENT);
  const ids = await makeThoughts(db.sql, 5);
  const [open, expired, succeeded, failed, free] = ids;
  await db.sql`
    insert into public.thought_work_claims
      (thought_id, work_type, worker_id, ttl_expires_at, status, attempt_count, last_error)
    values
      (${open}, ${WORK}, 'older', now() + interval '1 h', 'claimed', 2, 'the first try'),
      (${expired}, ${WORK}, 'dead', now() - interval '1 h', 'claimed', 3, null),
      (${succeeded}, ${WORK}, 'older', now() - interval '1 h', 'succeeded', 1, null),
      (${failed}, ${WORK}, 'older', now() - interval '1 h', 'failed', 1, 'broken')`;
  const rows = () =>
    db.sql`
    select thought_id, work_type, worker_id, claimed_at, ttl_expires_at, status, attempt_count, last_error
    from public.thought_work_claims order by thought_id`;
  const before = [...await rows()];
  await applyMigrations(db.sql, await listMigrations());
  assert.deepEqual([...await rows()], before);
  const [{ fences }] = await db.sql`
    select count(distinct fence)::int as fences from public.thought_work_claims`;
  assert.equal(fences, 4);

  const service = db.as("service_role");
  const granted = await claimNamed(service, ids, { worker: "newer" });
  assert.deepEqual(
    granted.map(({ thought_id, attempt }) => [thought_id, attempt]).sort(),
    [[expired, 4], [free, 1]].sort(),
  );
  assert.equal(await release(service, expired, "succeeded", { worker: "dead" }), false);
  assert.equal(await release(service, open, "succeeded", { worker: "older" }), true);
});

Deno.test("a migration that fails before it has sealed leaves nothing behind", async () => {
  await using db = await freshDatabase({ migrated: false, regime: "exposed" });
  await using project = await scratchProject({
    migration: `create table public.half_done (id int);
      create function public.open_to_all() returns int language sql as 'select 1';
      select 1 / 0;
      revoke all on table public.half_done from anon;`,
  });
  await assert.rejects(migrate(db.url, project.dir), /division by zero/);
  const [left] = await db.sql`
    select to_regclass('public.half_done') as table, to_regproc('public.open_to_all') as function`;
  assert.deepEqual(left, { table: null, function: null });
});

Deno.test("a project's own thoughts stay exactly as they are, and can be claimed", async () => {
  await using db = await freshDatabase({ migrated: false });
  await db.sql.unsafe(`
    create table public.thoughts (
      id uuid primary key default gen_random_uuid(),
      content text not null check (content <> ''),
      metadata jsonb,
      mood text collate "C" default 'calm',
      updated_at timestamptz
    );
    create unique index thoughts_by_mood on public.thoughts (mood, content);
    create function public.touch() returns trigger language plpgsql
      as 'begin new.updated_at := now(); return new; end';
    create trigger touch before update on public.thoughts for each row execute function public.touch();
    alter table public.thoughts enable row level security;
    create policy calm_ones on public.thoughts for select to authenticated using (mood = 'calm');
    grant select on public.thoughts to authenticated;
    insert into public.thoughts (content) values ('one'), ('two');
  `);
  const before = await definitionOfThoughts(db.sql);
  const rows = await db.sql`select t::text from public.thoughts t order by 1`;

  await applyMigrations(db.sql, await listMigrations());
  assert.deepEqual(await definitionOfThoughts(db.sql), before);
  assert.deepEqual(await db.sql`select t::text from public.thoughts t order by 1`, rows);
  const service = db.as("service_role");
  const granted = await service`select * from public.claim_next_thoughts('work', 'worker', 5)`;
  assert.deepEqual(granted.map(({ content }) => content).sort(), ["one", "two"]);
});

Deno.test("what an older version made otherwise, or not at all, is put right", async () => {
  await using db = await freshDatabase();
  const wanted = await schemaSql(db.sql);
  await db.sql.unsafe(`
    drop view dibs.hinted_lane;
    create view dibs.hinted_lane with (security_invoker = true) as
      select l.type, l.priority, h.made_at, h.begin_run_at, h.begin_task, h.seen_run_at, h.seen_task,
        h.run_length, h.sweep_at, h.sweep_if_empty_at
      from dibs.lane l left join dibs.hint h on h.type = l.type;
    drop index dibs.ready_by_page;
    drop trigger pool_freed_thoughts on public.thought_work_claims;
    alter table public.thought_work_claims drop column retry_at, disable row level security`);
  assert.notEqual(await schemaSql(db.sql), wanted);
  await applyMigrations(db.sql, await listMigrations());
  assert.equal(await schemaSql(db.sql), wanted);
});

Deno.test("a project's own table public.tasks is refused before anything changes", async () => {
  await using db = await freshDatabase({ migrated: false, regime: "exposed" });
  await db.sql`create table public.tasks (id int)`;
  const { code, said } = await supabaseCli(db.url, "db", "push");
  assert.notEqual(code, 0);
  assert.match(said, /there is a public\.tasks already/);
  const [{ made, mayRead }] = await db.sql`
    select to_regnamespace('dibs') is not null as made,
      has_table_privilege('anon', 'public.tasks', 'select') as "mayRead"`;
  assert.deepEqual({ made, mayRead }, { made: false, mayRead: true });
});

Deno.test("without pg_cron, pg_net and Vault everything but the schedule is there", async () => {
  await using without = await freshDatabase({ migrated: false, standIns: false });
  await applyMigrations(without.sql, await listMigrations());
  await using with_ = await freshDatabase();
  assert.equal(await schemaSql(without.sql), await schemaSql(with_.sql));

  await someOfEverything(without.sql);
  await without.sql`select dibs.tick()`;
  const [{ status }] = await without.sql`select public.dibs_status() as status`;
  assert.deepEqual(status.schedule, { cron: false, net: false });
});

/** The migrations that the CLI believes to be applied. */
async function historyOf(sql: Sql): Promise<string[]> {
  const rows = await sql`select version || '_' || name || '.sql' as file
    from supabase_migrations.schema_migrations order by version`;
  return rows.map(({ file }) => file);
}

/** What re-applying must not touch: definitions, grants, rows, sequences, the schedule. */
async function everything(sql: Sql) {
  return {
    schema: await schemaSql(sql),
    grants: await grantsOf(sql),
    rows: await contents(sql),
    sequences: [
      ...await sql`select sequencename, last_value from pg_sequences
      where schemaname in ('dibs', 'public') order by 1`,
    ],
    schedule: [...await sql`select * from cron.job`],
  };
}

async function definitionOfThoughts(sql: Sql): Promise<unknown> {
  const [definition] = await sql`
    with thoughts as (select * from pg_class where oid = 'public.thoughts'::regclass)
    select relrowsecurity, relacl::text[] as privileges, obj_description(oid, 'pg_class') as comment,
      (select jsonb_agg(jsonb_build_array(attname, format_type(atttypid, atttypmod), attnotnull,
          attcollation, pg_get_expr(adbin, adrelid)) order by attnum)
        from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid = oid and attnum > 0) as columns,
      (select jsonb_agg(pg_get_indexdef(indexrelid) order by indexrelid) from pg_index where indrelid = oid) as indexes,
      (select jsonb_agg(pg_get_constraintdef(c.oid) order by c.oid) from pg_constraint c where conrelid = thoughts.oid) as constraints,
      (select jsonb_agg(pg_get_triggerdef(t.oid) order by t.oid) from pg_trigger t
        where tgrelid = thoughts.oid and not tgisinternal) as triggers,
      (select jsonb_agg(jsonb_build_array(polname, pg_get_expr(polqual, polrelid))) from pg_policy where polrelid = oid) as policies
    from thoughts`;
  // The service role is given what claiming takes; every other privilege is the project's.
  definition.privileges = definition.privileges.filter((acl: string) =>
    !acl.startsWith("service_role=")
  );
  return definition;
}
