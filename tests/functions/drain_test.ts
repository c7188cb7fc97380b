import assert from "node:assert/strict";
import postgres from "postgres";
import { DrainStarted, DrainSummary } from "../../functions/_shared/schemas.ts";
import { post } from "../support/endpoints.ts";
import { eventually } from "../support/eventually.ts";
import { testStack } from "../support/stack.ts";

type TestStack = Awaited<ReturnType<typeof testStack>>;

const CARE_PLAN = "generate_care_plan";

function carePlan(email: string, change = {}) {
  return {
    type: CARE_PLAN,
    payload: {
      email,
      transcript: "I cannot sleep. My back hurts.",
      session_id: "s",
      blueprint_id: "b",
      host_url: "https://care.example.org",
      ...change,
    },
  };
}

async function mails({ mailUrl }: TestStack) {
  return await (await fetch(mailUrl)).json();
}

Deno.test("drains run the handlers of the project on a stack of their own", async (t) => {
  // Without stand-ins nothing is dispatched: only these drains work here.
  await using stack = await testStack({ standIns: false });
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = { [Symbol.asyncDispose]: () => sql.end() };
  const enqueue = (tasks: unknown[]) => post(stack, "enqueue", { tasks });

  await t.step("with wait it answers when all is done, and says what was", async () => {
    const people = Array.from({ length: 30 }, (_, n) => `p${n}@example.org`);
    await enqueue(people.map((email) => carePlan(email)));
    const { status, json } = await post(stack, "drain", { wait: true, batch: 10 });
    assert.equal(status, 200);
    const summary = DrainSummary.parse(json);
    assert.deepEqual([summary.claimed, summary.completed, summary.lost], [30, 30, 0]);
    assert.deepEqual([summary.truncated, summary.truncated_reason], [false, null]);
    const { sent, recipients } = await mails(stack);
    assert.deepEqual([sent, recipients], [30, 30]);
    const [{ plans }] = await sql`select count(result -> 'concerns')::int as plans from tasks`;
    assert.equal(plans, 30);
  });

  await t.step("without, it answers at once and works on", async () => {
    const [{ id }] = (await enqueue([carePlan("later@example.org")])).json.tasks;
    const { status, json } = await post(stack, "drain", { types: [CARE_PLAN] });
    assert.equal(status, 202);
    DrainStarted.parse(json);
    await eventually("the task completed", async () => {
      const [task] = await sql`select status from tasks where id = ${id}`;
      return task.status === "completed";
    });
  });

  await t.step(
    "a payload that does not fit fails for good at once, beside its neighbours",
    async () => {
      const tasks = [
        carePlan("fits@example.org"),
        carePlan("not an address"),
        carePlan("x@example.org", { secret: "sk-SECRET" }),
      ];
      const { json: { tasks: made } } = await enqueue(tasks);
      const { json } = await post(stack, "drain", { wait: true });
      assert.deepEqual([json.completed, json.failed], [1, 2]);
      const rows = await sql`select status, error, attempts from tasks where id in ${
        sql([made[1].id, made[2].id])
      } order by id`;
      assert.deepEqual(rows.map(({ status, attempts }) => [status, attempts]), [["failed", 1], [
        "failed",
        1,
      ]]);
      assert.ok(rows.some(({ error }) => /secret: unknown field/.test(error)));
      assert.ok(rows.every(({ error }) => !/SECRET/.test(error)));
    },
  );

  await t.step("several drains at once do everything once", async () => {
    await enqueue(Array.from({ length: 100 }, (_, n) => carePlan(`many${n}@example.org`)));
    const before = await mails(stack);
    const drains = await Promise.all(
      [1, 2, 3, 4].map(() => post(stack, "drain", { wait: true, batch: 10 })),
    );
    const completed = drains.reduce((sum, { json }) => sum + json.completed, 0);
    assert.equal(completed, 100);
    assert.equal((await mails(stack)).sent - before.sent, 100);
  });

  await t.step("with linger_seconds it also does what comes shortly after", async () => {
    const drain = post(stack, "drain", { wait: true, linger_seconds: 5 });
    for (const name of ["one", "another"]) {
      const [{ id }] = (await enqueue([carePlan(`${name}@example.org`)])).json.tasks;
      await eventually("the task completed", async () => {
        const [task] = await sql`select status from tasks where id = ${id}`;
        return task.status === "completed";
      });
    }
    assert.equal((await drain).json.completed, 2);
  });

  await t.step("an enriched thought has its metadata and its settlement together", async () => {
    await sql`insert into thoughts (content, metadata) values ('The garden needs water.', '{"kept": 1}')`;
    const { json } = await post(stack, "drain", { work_type: "enrichment", wait: true });
    assert.deepEqual([json.claimed, json.completed], [1, 1]);
    const [thought] = await sql`select metadata from thoughts`;
    assert.equal(thought.metadata.kept, 1);
    assert.equal(thought.metadata.enrichment.language, "en");
    const [claim] =
      await sql`select status from thought_work_claims where work_type = 'enrichment'`;
    assert.equal(claim.status, "succeeded");
  });

  await t.step(
    "when its budget ends it says so, and what it did not start waits as if untouched",
    async () => {
      await enqueue(Array.from({ length: 1000 }, (_, n) => carePlan(`late${n}@example.org`)));
      const drain = { wait: true, batch: 200, concurrency: 1, budget_seconds: 1 };
      const { json } = await post(stack, "drain", drain);
      assert.deepEqual([json.truncated, json.truncated_reason], [true, "deadline"]);
      assert.deepEqual([json.claimed, json.failed, json.lost], [
        json.completed + json.released,
        0,
        0,
      ]);
      const waiting = await sql`select attempts from tasks where status = 'pending'`;
      assert.equal(waiting.length, 1000 - json.completed);
      assert.ok(waiting.every(({ attempts }) => attempts === 0));
    },
  );
});
