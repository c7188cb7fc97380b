// Every action by its button, in a real browser, while others work; what each does: actions_test.ts.
import assert from "node:assert/strict";
import postgres, { type Sql } from "postgres";
import { show, showDashboard } from "../../support/dashboard_page.ts";
import { eventually } from "../../support/eventually.ts";

Deno.test("the dashboard's buttons, while others work", async (t) => {
  await using shown = await showDashboard();
  const { sql, base } = shown;
  await furnish(sql);
  await using _work = workMeanwhile(shown.stack.databaseUrl);
  const { page, troubles } = await shown.open();
  page.setDefaultTimeout(15_000);

  const press = (name: string) => page.getByRole("button", { name, exact: true }).click();
  const told = (text: string | RegExp) =>
    page.getByRole("status").filter({ hasText: text }).waitFor();
  const statusOf = async (type: string) =>
    (await sql`select status from tasks where type = ${type}`).map(({ status }) => status);

  await t.step("a task is cancelled, and retried", async () => {
    const [{ id }] = await sql`select create_task('one', p_run_at => '2100-01-01') as id`;
    await show(page, base, `tasks/${id}`);
    await press("Cancel …");
    await press("Cancel it");
    await told("The task is cancelled.");
    assert.deepEqual(await statusOf("one"), ["cancelled"]);
    await press("Retry …");
    await press("Retry it");
    await told("The task is due again.");
  });

  await t.step("a task is redriven as another type", async () => {
    await show(page, base, "tasks?status=failed&type=broken");
    await page.getByRole("link", { name: "broken" }).first().click();
    await press("Redrive …");
    await page.getByLabel("As another type").fill("mended");
    await press("Redrive it");
    await told("The task was redriven.");
    assert.deepEqual(await statusOf("mended"), ["pending"]);
  });

  await t.step("all that failed are redriven, at a rate", async () => {
    await show(page, base, "tasks?status=failed&type=broken");
    await press("Redrive all …");
    await page.getByRole("heading", { name: "Redrive 2 failed tasks?" }).waitFor();
    await page.getByLabel("So many a second").fill("0.001");
    await press("Redrive them");
    await told("2 tasks redriven.");
    assert.deepEqual(await statusOf("broken"), ["pending", "pending"]);
  });

  await t.step("all that wait are cancelled", async () => {
    await show(page, base, "tasks?status=pending&type=broken");
    await press("Cancel all …");
    await page.getByRole("heading", { name: "Cancel 2 tasks?" }).waitFor();
    await press("Cancel them");
    await told("2 tasks cancelled.");
    assert.deepEqual(await statusOf("broken"), ["cancelled", "cancelled"]);
  });

  await t.step("a worker is released", async () => {
    await show(page, base, "workers");
    await press("Release gone");
    await press("Release it");
    await told("Handed back: 1 task, 1 row.");
    await press("Release busy").catch(() => assert.fail("others must stay"));
    await press("Leave it");
  });

  await t.step("rows that failed are redriven, one and then the rest", async () => {
    await show(page, base, "claims");
    await page.getByRole("link", { name: /failed 3/ }).click();
    await page.getByRole("button", { name: /^Redrive [0-9a-f-]{36}$/ }).first().click();
    await page.getByRole("heading", { name: "Redrive this row?" }).waitFor();
    await press("Redrive");
    await told("1 row redriven.");
    await press("Redrive all …");
    await page.getByRole("heading", { name: "Redrive 2 rows?" }).waitFor();
    await press("Redrive");
    await told("2 rows redriven.");
  });

  await t.step("a type, a key, a kind of work and everything are paused and resumed", async () => {
    const paused = async () =>
      Number(
        (await sql`
        select (select count(*) from task_gates() where paused_at is not null)
          + (select count(*) from claim_gates() where paused_at is not null) as n`)[0].n,
      );
    await show(page, base, "gates");
    await press("Pause a type …");
    await page.getByRole("textbox", { name: "Type", exact: true }).fill("mended");
    await page.getByRole("textbox", { name: /^Key/ }).fill("acme");
    await press("Pause it");
    await told(/^Paused\./);
    assert.equal(await paused(), 1);
    await press("Pause thoughts / enrichment");
    await press("Pause it");
    await eventually("two are paused", async () => await paused() === 2);
    await press("Pause everything …");
    await press("Pause everything");
    await eventually("three are paused", async () => await paused() === 3);
    for (const name of ["everything", "mended / acme", "thoughts / enrichment"]) {
      await press(`Resume ${name}`);
      await press("Resume it");
      await told("Resumed.");
      await page.getByRole("button", { name: `Resume ${name}`, exact: true })
        .waitFor({ state: "detached" });
    }
    assert.equal(await paused(), 0);
  });

  await t.step("a schedule is paused, resumed, and run now", async () => {
    await show(page, base, "schedules");
    await press("Pause nightly");
    await press("Pause it");
    await told("Paused.");
    await press("Resume nightly");
    await press("Resume it");
    await told(/^Resumed; due next /);
    await press("Run now nightly");
    await press("Run it now");
    await page.getByRole("heading", { name: "report" }).waitFor();
    assert.deepEqual(await statusOf("report"), ["pending"]);
  });

  assert.deepEqual(troubles, []);
});

/** Something to press each button for. */
async function furnish(sql: Sql): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await sql`select create_task('broken', p_max_attempts => 1)`;
    await sql`
      select settle_lease((select fence from claim_tasks('mailer', '{broken}')), p_rest => 'failed')`;
  }
  await sql`insert into thoughts (content) select 'a' from generate_series(1, 9)`;
  await sql`
    select settle_lease(
      (select max(fence::bigint)::text from claim_next_thoughts('enrichment', 'mailer', 3, p_max_attempts => 1)),
      p_rest => 'failed')`;
  for (const worker of ["gone", "busy"]) {
    await sql`select create_task('held')`;
    await sql`select claim_tasks(${worker}, '{held}', 1, 3600)`;
    await sql`select claim_next_thoughts('enrichment', ${worker}, 1)`;
  }
  await sql`select set_claim_limit('thoughts', 'enrichment', 100)`;
  await sql`select put_schedule('nightly', '0 0 1 1 *', 'report')`;
}

/** Tasks come and go, so that no page looks twice the same. */
function workMeanwhile(databaseUrl: string): AsyncDisposable {
  const sql = postgres(databaseUrl, { max: 2, onnotice: () => {} });
  let isOver = false;
  const enqueue = async () => {
    while (!isOver) await sql`select create_task('load', p_max_attempts => 1)`;
  };
  const work = async () => {
    while (!isOver) {
      await sql`
        select settle_lease(fence, p_rest => 'succeeded')
        from (select distinct fence from claim_tasks('loader', '{load}', 20)) claimed`;
    }
  };
  const working = Promise.all([enqueue(), work()]);
  return {
    async [Symbol.asyncDispose]() {
      isOver = true;
      await working;
      await sql.end();
    },
  };
}
