// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";
import { migrate } from "../../scripts/stack/migrate.ts";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { claimNextRows, claimRows, rowIds, settleRows } from "../support/sources.ts";

const THOUGHTS = (type: string) => `
  create table public.thoughts (
    id ${type} primary key, content text not null, metadata jsonb default '{}',
    created_at timestamptz default now(), updated_at timestamptz default now())`;

for (
  const type of ["bigint generated always as identity", "int generated always as identity", "text"]
) {
  Deno.test(`a project whose thoughts have ids of type ${type} migrates, and claims them`, async () => {
    await using db = await freshDatabase({ migrated: false });
    await db.sql.unsafe(THOUGHTS(type));
    await migrate(db.url);
    const service = db.as("service_role");
    const clock = await testClock(db.sql);
    await db.sql.unsafe(`insert into thoughts (content${type === "text" ? ", id" : ""})
      select 'thought ' || n${type === "text" ? ", n" : ""} from generate_series(1, 6) n`);

    // The contract, with the ids that they have.
    const won = await service.unsafe(
      "select id::text from claim_thoughts('{1,2,99}', 'enrichment', 'worker') id order by 1",
    );
    assert.deepEqual(rowIds(won as never), ["1", "2"]);
    const released = await service`
      select release_thought('1', 'enrichment', 'worker', 'succeeded') as one,
        release_claims_for_worker('enrichment', 'worker') as two`;
    assert.deepEqual([...released], [{ one: true, two: 1 }]);

    // What Dibs adds: fences of rows, and ids as text.
    const [{ fence }, ...more] = await service`
      select thought_id, fence, content from claim_next_thoughts('enrichment', 'worker', 2)`;
    assert.match(fence, /^thoughts:[0-9]+$/);
    const [{ thought_id: id }] = more;
    assert.equal(typeof id, "string");
    assert.deepEqual(
      await settleRows(service, fence, [
        { id, status: "succeeded", metadata: { seen: 1 } } as never,
      ]),
      { settled: 1, lost: [], superseded: [] },
    );
    const [{ metadata }] = await db.sql`select metadata from thoughts where id::text = ${id}`;
    assert.deepEqual(metadata, { seen: 1 });
    const [{ answer }] = await service`
      select settle_and_claim_thoughts(${fence}, '[]', 'failed', 'enrichment', 'worker', 9) as answer`;
    assert.deepEqual([answer.settled, answer.lost, answer.thoughts.length], [1, [], 3]);
    assert.equal(typeof answer.thoughts[0].id, "string");
    assert.equal((await service`select renew_rows(${answer.fence})`).length, 3);
    await clock.advance("1 day");
    await db.sql`select dibs.tick()`;
    assert.equal(
      (await claimNextRows(service, "thoughts", 9, { workType: "enrichment" })).length,
      4,
    );

    // Tasks are what they always are, also where a lease is lost.
    await service`select create_task('a')`;
    const [task] = await service`select id, fence from claim_tasks('worker')`;
    await service`select effect_begin(${task.fence}, ${task.id}, 'mail')`;
    await service`select complete_with_result(${task.fence}, ${task.id})`;
    const [{ completed }] = await service`
      select was_completed(${task.fence}, ${task.id}) as completed`;
    assert.equal(completed, true);
    assert.deepEqual([...await service`select renew_lease(${task.fence})`], []);
    await assert.rejects(service`select assert_lease(${task.fence}, ${task.id})`, {
      code: "PT409",
    });
    await service`select * from parked_effects()`;
    await service`select dibs_status()`;
    await applyMigrations(db.sql, await listMigrations());
  });
}

Deno.test("thoughts whose ids no claim can have are told before anything is made", async () => {
  await using db = await freshDatabase({ migrated: false });
  await db.sql.unsafe(THOUGHTS("numeric"));
  await assert.rejects(
    applyMigrations(db.sql, await listMigrations()),
    /public.thoughts has no column id of type uuid, bigint, int or text/,
  );
});

Deno.test("thoughts are a source like any other", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const [{ id }] = await db.sql`insert into thoughts (content) values ('a') returning id`;
  const [{ fence }] = await claimRows(service, "thoughts", [id], { workType: "enrichment" });
  const [{ settled }] = await service`
    select settled from settle_lease(${fence.replace("thoughts:", "")}, p_rest => 'succeeded')`;
  assert.equal(settled, 1);
});

Deno.test("names are filled in once, whatever is in them", async () => {
  await using db = await freshDatabase();
  const [{ filled }] = await db.sql`
    select dibs.fill_in('{a} {b}{c} {} {a', '{"a": "{b}", "b": "}{a}"}') as filled`;
  assert.equal(filled, "{b} }{a}{c} {} {a");
  for (const name of ["plain", 'a "b"', "$$ends$$", '\\ $1 "x"']) {
    const [row] = await db.sql.unsafe(
      `select 1 as ${(await db.sql`select dibs.quoted(${name}) as quoted`)[0].quoted}`,
    );
    assert.deepEqual(Object.keys(row), [name]);
  }
});
