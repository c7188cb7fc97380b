// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../support/database.ts";

/** A queue with a past: 50,000 tasks that ended one by one, 20,000 that wait. */
async function longHistory(sql: Sql) {
  await sql`
    with n as materialized (
      select nextval('dibs.task_number') as task from generate_series(1, 70000)
    ), logged as (
      insert into dibs.log (id, type, run_at)
      select dibs.id_of(task, hashint8extended(task, seed)), 'a', now() from n, dibs.id_seed
    ), laned as (
      insert into dibs.lane values ('a', 0)
    ), ended as (
      insert into dibs.outcome (run, completed_at, status)
      select int8multirange(int8range(task, task + 1)), now(), 'completed' from n where task % 7 < 5
    )
    insert into dibs.ready (type, priority, run_at, run)
    select 'a', 0, now(), int8multirange(int8range(task, task + 1)) from n where task % 7 >= 5`;
}

interface Node {
  "Node Type": string;
  "Relation Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Rows Removed by Join Filter"?: number;
  Plans?: Node[];
}

/** Every node of the plan a statement ran with. */
async function ran(sql: Sql, statement: string): Promise<Node[]> {
  const [row] = await sql.unsafe(`explain (analyze, timing off, format json) ${statement}`);
  const flatten = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(flatten)];
  return flatten(row["QUERY PLAN"][0].Plan);
}

/** Rows that a plan read, or compared, at its busiest node. */
const busiest = (nodes: Node[]) =>
  Math.max(
    ...nodes.map((node) =>
      (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0) +
        (node["Rows Removed by Join Filter"] ?? 0)) * node["Actual Loops"]
    ),
  );

Deno.test("public.tasks answers at a cost that fits the question", async (t) => {
  await using db = await freshDatabase();
  const { sql } = db;
  await longHistory(sql);
  // Statistics of leases are never right: these come after the last ones.
  await sql`analyze dibs.lease`;
  for (let n = 0; n < 20; n++) await sql`select from claim_tasks('worker', null, 3)`;
  const [{ pending }] = await sql`select id as pending from tasks where status = 'pending' limit 1`;
  const [{ done }] = await sql`select id as done from tasks where status = 'completed' limit 1`;

  for (const state of ["before", "after"]) {
    if (state === "after") await sql`analyze dibs.log, dibs.ready, dibs.outcome`;

    await t.step(`by id it reads no more than a page, ${state} statistics`, async () => {
      for (const id of [pending, done]) {
        const nodes = await ran(sql, `select * from tasks where id = '${id}'`);
        assert.ok(busiest(nodes) <= 300, `${busiest(nodes)} rows`);
      }
    });

    for (const rest of ["limit 10", "order by created_at limit 10"]) {
      await t.step(
        `pending ones are found without the ended, ${rest}, ${state} statistics`,
        async () => {
          const nodes = await ran(sql, `select * from tasks where status = 'pending' ${rest}`);
          const ended = nodes.filter((node) => node["Relation Name"] === "outcome");
          assert.ok(busiest(ended) <= 300, `${busiest(ended)} rows of outcome`);
          assert.ok(busiest(nodes) <= 70_000, `${busiest(nodes)} rows`);
        },
      );
    }

    await t.step(
      `stuck ones are found in one look at the log at most, ${state} statistics`,
      async () => {
        const nodes = await ran(
          sql,
          `select * from tasks where status = 'processing' and started_at < now() + interval '1 h'`,
        );
        assert.ok(busiest(nodes) <= 70_000, `${busiest(nodes)} rows`);
      },
    );

    await t.step(`grouping by status looks at each task once, ${state} statistics`, async () => {
      const nodes = await ran(sql, `select status, count(*) from tasks group by status`);
      assert.ok(busiest(nodes) <= 70_000, `${busiest(nodes)} rows`);
    });
  }

  await t.step("an update by id and claim_task find their row by its id", async () => {
    assert.equal((await sql`select * from claim_task()`).length, 1);
    assert.equal((await sql`update tasks set status = 'pending' where id = ${done}`).count, 1);
    assert.equal((await sql`delete from tasks where id = ${pending}`).count, 1);
  });
});
