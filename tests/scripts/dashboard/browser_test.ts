// The dashboard in a real browser: every page, whatever users wrote into it.
import assert from "node:assert/strict";
import axe from "axe-core";
import type { Page } from "playwright-core";
import type { Sql } from "postgres";
import {
  DESKTOP,
  shiftsOf,
  show,
  showDashboard,
  watchShifts,
} from "../../support/dashboard_page.ts";
import { eventually } from "../../support/eventually.ts";
import { NASTY } from "../../support/nasty.ts";

const PHONE = { width: 390, height: 844 };

Deno.test("the dashboard in a browser", async (t) => {
  await using shown = await showDashboard();
  const { sql, base, open } = shown;

  await t.step("shows every page of a project in which nothing ever happened", async () => {
    const { page, troubles } = await open();
    await watchShifts(page);
    for (const path of PAGES) {
      await show(page, base, path);
      assert.equal(await page.locator(".empty, .tiles").count() > 0, true, path);
      assert.equal(await shiftsOf(page), 0, `${path || "overview"} shifts`);
    }
    assert.deepEqual(troubles, []);
    await page.close();
  });

  await t.step("a task that failed three times is found, understood and redriven", async () => {
    const id = await failThreeTimes(sql);
    const { page, troubles } = await open();
    await show(page, base, "");
    let clicks = 0;
    const click = async (locator: ReturnType<Page["locator"]>) => {
      await locator.click();
      clicks++;
    };
    await click(page.locator("a.tile", { hasText: "Failed" }));
    await click(page.getByRole("link", { name: "send_contract" }));
    await page.getByRole("heading", { name: "Life" }).waitFor();
    const said = await page.locator("main").innerText();
    for (const error of ["first: timeout", "second: HTTP 503", "third: no such address"]) {
      assert(said.includes(error), `${error} is not told:\n${said}`);
    }
    await click(page.getByRole("button", { name: "Redrive …" }));
    await click(page.getByRole("button", { name: "Redrive it" }));
    await page.getByRole("status").filter({ hasText: "The task was redriven." }).waitFor();
    assert(clicks < 5);
    const [{ status }] = await sql`select status from tasks where id = ${id}`;
    assert.equal(status, "pending");
    await page.locator(".timeline", { hasText: "redriven" }).waitFor();
    assert.deepEqual(troubles, []);
    await page.close();
  });

  const one = await writeNasty(sql);
  const pages = [...PAGES, `tasks/${one}`, "claims?source=thoughts&work_type=enrichment"];

  for (const colorScheme of ["dark", "light"] as const) {
    for (const viewport of [DESKTOP, PHONE]) {
      await t.step(
        `shows what users wrote as text, ${colorScheme}, ${viewport.width} wide`,
        async () => {
          const { page, troubles } = await open({ viewport, colorScheme });
          await watchShifts(page);
          for (const path of pages) {
            await show(page, base, path);
            if (path === "doctor") await examine(page);
            assert.deepEqual(await seriousOf(page), [], path);
            assert.equal(await shiftsOf(page), 0, `${path || "overview"} shifts`);
            const widest = await page.evaluate(() => document.documentElement.scrollWidth);
            assert(widest <= viewport.width, `${path || "overview"} is ${widest} wide`);
          }
          assert.equal(await page.evaluate(() => Reflect.get(globalThis, "ran")), undefined);
          assert.deepEqual(troubles, []);
          await page.close();
        },
      );
    }
  }

  await t.step("shows each nasty text as it was written", async () => {
    const { page } = await open();
    await show(page, base, "tasks");
    const shown = await page.locator("td a.text").allTextContents();
    for (const text of NASTY) assert(shown.includes(text), text);
    await page.close();
  });

  await t.step("asks before it acts, and leaves it when told to, also by keyboard", async () => {
    const { page, troubles } = await open();
    await show(page, base, "gates");
    await page.keyboard.press("Tab");
    assert.equal(
      await page.evaluate(() => document.activeElement!.textContent),
      "Skip to the page",
    );
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement!.tagName), "H1");
    await page.getByRole("button", { name: "Pause everything" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    const paused = () => sql`select 1 from task_gates() where scope = 'everything'`;
    assert.equal((await paused()).length, 0);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Pause everything", exact: true }).click();
    await page.locator("tr", { hasText: "everything" }).waitFor();
    assert.equal((await paused()).length, 1);
    await page.getByRole("button", { name: "Resume everything" }).click();
    await page.getByRole("button", { name: "Resume it" }).click();
    await eventually("it is resumed", async () => (await paused()).length === 0);
    assert.deepEqual(troubles, []);
    await page.close();
  });

  await t.step("asks nothing while nobody sees it, and again when somebody does", async () => {
    const { page } = await open();
    await page.clock.install();
    await show(page, base, "workers");
    let asked = 0;
    page.on("request", () => asked++);
    await page.clock.runFor(10_000);
    assert(asked > 0);
    await setHidden(page, true);
    await page.clock.runFor(5_000);
    asked = 0;
    await page.clock.runFor(600_000);
    assert.equal(asked, 0);
    await setHidden(page, false);
    await eventually("it asks", () => asked > 0);
    await page.close();
  });

  await t.step("keeps filters in the address, so that a view can be sent to others", async () => {
    const { page } = await open();
    await show(page, base, "tasks");
    await page.getByLabel("Type").fill("send_contract");
    await page.keyboard.press("Enter");
    await page.locator("tbody tr").first().waitFor();
    const address = page.url();
    assert(address.endsWith("#/tasks?type=send_contract"), address);
    const other = await open();
    await other.page.goto(address);
    await other.page.locator("tbody tr").first().waitFor();
    assert.deepEqual(await other.page.locator("td a.text").allTextContents(), ["send_contract"]);
    assert.equal(await other.page.getByLabel("Type").inputValue(), "send_contract");
    await Promise.all([page.close(), other.page.close()]);
  });
});

const PAGES = [
  "",
  "backlog",
  "tasks",
  "workers",
  "claims",
  "gates",
  "schedules",
  "effects",
  "dispatches",
  "doctor",
];

async function examine(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Examine" }).click();
  await page.locator(".verdict").waitFor({ timeout: 60_000 });
}

/** What axe calls serious or critical, by rule and place. */
async function seriousOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => Reflect.get(globalThis, "axe").run()) as axe.AxeResults;
  return found.violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}

async function setHidden(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate((isHidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
}

async function failThreeTimes(sql: Sql): Promise<string> {
  const [{ id }] = await sql`select create_task('send_contract', p_max_attempts => 3) as id`;
  for (const error of ["first: timeout", "second: HTTP 503", "third: no such address"]) {
    await sql`update tasks set run_at = now() where id = ${id} and status = 'pending'`;
    const [{ fence }] = await sql`select fence from claim_tasks('mailer', '{send_contract}')`;
    await sql`select settle_lease(${fence}, ${sql.json([{ id, status: "failed", error }])})`;
  }
  return id;
}

/** Nasty texts wherever a user may write any; one of the tasks. */
async function writeNasty(sql: Sql): Promise<string> {
  await sql`insert into thoughts (content) select 'a' from generate_series(1, ${NASTY.length})`;
  let last = "";
  for (const text of NASTY) {
    const type = text.slice(0, 100);
    const tasks = [{ type, payload: { [text]: [text] }, key: text, max_attempts: 2 }];
    const [{ id }] = await sql`select id from enqueue_tasks(${sql.json([...tasks, ...tasks])})`;
    const [{ fence }] = await sql`select fence from claim_tasks(${text}, ${[type]})`;
    await sql`
      select settle_lease(${fence}, ${
      sql.json([{ id, status: "failed", error: text, permanent: true }])
    })`;
    await sql`select claim_tasks(${text}, ${[type]}, 1, 3600)`;
    await sql`select set_task_limit(${type}, 7)`;
    await sql`select set_task_rate(${type}, 10, '1 minute', p_key => ${text})`;
    await sql`select put_schedule(${text}, '0 0 * * *', ${type}, ${sql.json({ text })})`;
    await sql`
      insert into dibs.effect (id, key, mode, state, fence, begun_at)
      values (${id}, ${text}, 'at_most_once', 'parked', ${fence}, now())`;
    const [row] = await sql`
      select thought_id, fence from claim_next_thoughts('enrichment', ${text}, 1, p_max_attempts => 1)`;
    await sql`
      select settle_lease(${row.fence}, ${
      sql.json([{ id: row.thought_id, status: "failed", error: text, permanent: true }])
    })`;
    last = id;
  }
  return last;
}
