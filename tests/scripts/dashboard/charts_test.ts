// The charts of the overview, and the same in numbers.
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { Sql } from "postgres";
import { shiftsOf, show, showDashboard, watchShifts } from "../../support/dashboard_page.ts";
import { eventually } from "../../support/eventually.ts";

Deno.test("the charts of the dashboard", async (t) => {
  await using shown = await showDashboard();
  const { sql, base, open } = shown;

  await t.step("are there, and say so, where nothing ever happened", async () => {
    const { page, troubles } = await open();
    await watchShifts(page);
    for (const range of ["15min", "1h", "24h", "7d", "1y"]) {
      await show(page, base, `?range=${range}`);
      await page.getByText("Nothing happened in this time.").first().waitFor();
      assert.equal(await page.locator(".u-over").count(), 4);
      assert.equal(await shiftsOf(page), 0, range);
    }
    assert.deepEqual(troubles, []);
    await page.close();
  });

  await live(sql);

  await t.step("tell by keyboard and in numbers what they draw", async () => {
    const { page, troubles } = await open();
    await show(page, base, "?range=15min");
    await page.locator("summary").focus();
    await page.keyboard.press("Enter");
    await eventually("all is counted", async () => await sumOf(page, "Enqueued") === 9);
    assert.equal(await sumOf(page, "Completed"), 5);
    assert.equal(await sumOf(page, "Failed attempts"), 1);
    assert.equal(await sumOf(page, "Failed"), 1);
    assert.match((await columnOf(page, "Run p99")).join(), /\d m?s/);
    assert(await page.getByRole("region", { name: "By type" }).getByText("letter").isVisible());
    assert.deepEqual(troubles, []);
    await page.close();
  });

  await t.step("show one type, and one's address can be sent to others", async () => {
    const { page } = await open();
    await show(page, base, "?range=15min");
    await page.getByLabel("Charts of").selectOption("letter");
    await page.locator("summary").click();
    await eventually("it is of letters", async () => await sumOf(page, "Enqueued") === 3);
    await page.getByRole("link", { name: "1 h" }).click();
    assert(page.url().endsWith("#/?range=1h&type=letter"), page.url());
    await page.goBack();
    await eventually("it is as before", () => page.url().includes("range=15min"));
    assert.equal(await page.getByLabel("Charts of").inputValue(), "letter");
    await page.close();
  });

  await t.step("tell exactly of the moment that is pointed at, in all of them", async () => {
    const { page, troubles } = await open();
    await show(page, base, "?range=15min");
    const plot = page.locator(".u-over").first();
    const { width, height } = (await plot.boundingBox())!;
    await plot.hover({ position: { x: width - 2, y: height / 2 } });
    const tips = page.locator(".tooltip");
    await eventually("each tells", async () => await tips.count() === 4);
    assert.match(await tips.first().innerText(), /so far\s+completed\s+\d+\s+claimed\s+\d+/);
    await page.mouse.move(0, 0);
    await eventually("none tells any more", async () => await tips.count() === 0);
    await page.emulateMedia({ colorScheme: "dark" });
    assert.equal(await page.locator(".u-over").count(), 4);
    assert.deepEqual(troubles, []);
    await page.close();
  });
});

/** Six of a type of which one fails, and three of another that wait. */
async function live(sql: Sql): Promise<void> {
  // What happened before the first look is not counted.
  await sql`select dibs.tick()`;
  const invoices = Array.from({ length: 6 }, () => ({ type: "invoice", max_attempts: 1 }));
  await sql`select enqueue_tasks(${sql.json(invoices)})`;
  const held = await sql`select id, fence from claim_tasks('worker-1', '{invoice}', 6)`;
  const failed = [{ id: held[0].id, status: "failed", error: "no such address" }];
  await sql`select settle_lease(${held[0].fence}, ${sql.json(failed)}, 'succeeded')`;
  const letters = Array.from({ length: 3 }, () => ({ type: "letter" }));
  await sql`select enqueue_tasks(${sql.json(letters)})`;
  await sql`select dibs.tick()`;
}

async function columnOf(page: Page, head: string): Promise<string[]> {
  return await page.locator(`.numbers td[data-head="${head}"]`).allTextContents();
}

async function sumOf(page: Page, head: string): Promise<number> {
  return (await columnOf(page, head)).reduce((total, text) => total + Number(text), 0);
}
