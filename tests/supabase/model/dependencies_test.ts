// Tasks that depend on each other at random, ended at random, against the rule as a person would say it.
import fc from "fast-check";
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../../support/database.ts";
import { assertInvariants } from "../../support/invariants.ts";
import { claim, settle } from "../../support/tasks.ts";

type Fate = "waits" | "runs" | "completed" | "failed" | "cancelled";

interface Node {
  parents: number[];
  mode: "all" | "any";
  policy: "cancel" | "run" | "wait";
}

interface Step {
  what: "succeed" | "fail" | "cancel" | "retry";
  task: number;
}

const SIZE = 8;

const graph: fc.Arbitrary<Node[]> = fc.tuple(
  ...Array.from({ length: SIZE }, (_, place) =>
    fc.record({
      parents: place === 0
        ? fc.constant<number[]>([])
        : fc.uniqueArray(fc.nat({ max: place - 1 }), { maxLength: 3 }),
      mode: fc.constantFrom("all" as const, "any" as const),
      policy: fc.constantFrom("cancel" as const, "run" as const, "wait" as const),
    })),
);
const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom("succeed", "succeed", "fail", "cancel", "retry"),
  task: fc.nat({ max: SIZE - 1 }),
});

class Model {
  readonly fates: Fate[];
  /** How each ended last, if it ever did. */
  readonly #last: (Fate | null)[];

  constructor(private readonly nodes: Node[]) {
    this.fates = nodes.map(({ parents }) => parents.length > 0 ? "waits" : "runs");
    this.#last = nodes.map(() => null);
  }

  take({ what, task }: Step): void {
    const fate = this.fates[task];
    if (what === "succeed" && fate === "runs") this.#end(task, "completed");
    if (what === "fail" && fate === "runs") this.#end(task, "failed");
    if (what === "cancel" && ["waits", "runs"].includes(fate)) this.#end(task, "cancelled");
    if (what === "retry" && ["failed", "cancelled"].includes(fate)) this.fates[task] = "runs";
  }

  #end(task: number, fate: Fate): void {
    this.fates[task] = fate;
    this.#last[task] = fate;
    for (const [place, { parents, mode, policy }] of this.nodes.entries()) {
      if (this.fates[place] !== "waits" || !parents.includes(task)) continue;
      const ends = parents.map((parent) => this.#last[parent]);
      const met = ends.map((end) => end === "completed" || policy === "run" && end !== null);
      const missed = ends.map((end) => policy === "cancel" && end !== null && end !== "completed");
      const [every, some] = mode === "all" ? [met, missed] : [missed, met];
      const [runs, cancelled] = mode === "all"
        ? [every.every(Boolean), some.some(Boolean)]
        : [some.some(Boolean), every.every(Boolean)];
      if (runs) this.fates[place] = "runs";
      else if (cancelled) this.#end(place, "cancelled");
    }
  }
}

async function take(sql: Sql, ids: string[], { what, task }: Step): Promise<void> {
  if (what === "cancel") await sql`select cancel_tasks(array[${ids[task]}::uuid])`;
  else if (what === "retry") await sql`select retry_tasks(array[${ids[task]}::uuid])`;
  else {
    const [granted] = await claim(sql, { types: [`t${task}`] });
    if (!granted) return;
    const status = what === "succeed" ? "succeeded" : "failed";
    await settle(sql, granted.fence, [{ id: granted.id, status, permanent: true }]);
  }
}

async function fates(sql: Sql, ids: string[]): Promise<Fate[]> {
  const rows = await sql`
    select t.id, case when w.task is not null then 'waits' when t.status = 'pending' then 'runs' else t.status end as fate
    from public.tasks t left join dibs.waiting w on w.task = dibs.task_of(t.id)`;
  const byId = new Map(rows.map(({ id, fate }) => [id, fate]));
  return ids.map((id) => byId.get(id));
}

Deno.test("tasks that depend on others fare as the rule says", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  await fc.assert(
    fc.asyncProperty(graph, fc.array(step, { maxLength: 25 }), async (nodes, steps) => {
      const tasks = nodes.map(({ parents, mode, policy }, place) => ({
        type: `t${place}`,
        depends_on: parents,
        depends_mode: mode,
        on_parent_failure: policy,
      }));
      const ids = (await sql`select id from enqueue_tasks(${sql.json(tasks)})`).map(({ id }) => id);
      const model = new Model(nodes);
      for (const step of steps) {
        model.take(step);
        await take(sql, ids, step);
        assert.deepEqual(await fates(sql, ids), model.fates, JSON.stringify(step));
      }
      await assertInvariants(sql);
      await sql`delete from public.tasks`;
    }),
    { numRuns: 60 },
  );
});
