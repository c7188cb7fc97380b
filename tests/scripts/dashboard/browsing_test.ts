// Finding one's way in the dashboard, as somebody with a browser does.
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { shiftsOf, show, showDashboard, watchShifts } from "../../support/dashboard_page.ts";
import { eventually } from "../../support/eventually.ts";
import { parkEffect } from "../../support/parked_effect.ts";

Deno.test("finding one's way in the dashboard", async (t) => {
  await using shown = await showDashboard();
  const { sql, base, open } = shown;
  const tasks = Array.from({ length: 120 }, (_, n) => ({ type: `type_${n % 3}`, payload: { n } }));
  await sql`select enqueue_tasks(${sql.json(tasks)})`;

  await t.step("an address that leads nowhere says so, and where to go", async () => {
    const { page, troubles } = await open();
    for (const path of ["nowhere", "tasks/none", "workers/x", "tasks/a/b", "%E0%A4%A"]) {
      await show(page, base, path);
      assert.equal(await page.locator("h1").textContent(), "No such page", path);
    }
    await page.getByRole("link", { name: "Go to the overview" }).click();
    await page.locator(".tiles").waitFor();
    await show(page, base, `tasks/${crypto.randomUUID()}`);
    assert.match(await page.locator(".empty").innerText(), /^No task has the id/);
    assert.deepEqual(troubles, []);
    await page.close();
  });

  await t.step("who comes back is where they were, with the page as it was", async () => {
    const { page } = await open();
    await show(page, base, "tasks");
    await page.locator("tbody a").nth(40).scrollIntoViewIfNeeded();
    const place = await scrollOf(page);
    assert(place > 0);
    await page.locator("tbody a").nth(40).click();
    await page.getByRole("heading", { name: "Life" }).waitFor();
    assert.equal(await scrollOf(page), 0);
    assert.equal(await page.evaluate(() => document.activeElement!.tagName), "H1");
    await page.goBack();
    await page.locator("tbody tr").first().waitFor();
    assert.equal(await scrollOf(page), place);
    await page.close();
  });

  await t.step(
    "the next page begins at its top, and the page before is one step back",
    async () => {
      const { page } = await open();
      await show(page, base, "tasks");
      const first = await page.locator("tbody a").first().getAttribute("href");
      await page.getByRole("link", { name: "Older" }).click();
      await eventually(
        "the next page is there",
        async () => await page.locator("tbody a").first().getAttribute("href") !== first,
      );
      assert.equal(await scrollOf(page), 0);
      await page.goBack();
      await eventually(
        "the first page is there",
        async () => await page.locator("tbody a").first().getAttribute("href") === first,
      );
      await page.close();
    },
  );

  await t.step("who looks for something keeps the place where they type", async () => {
    const { page } = await open();
    await show(page, base, "tasks");
    await page.getByLabel("Type").fill("type_2");
    await page.keyboard.press("Enter");
    await eventually(
      "it was found",
      async () => new Set(await page.locator("td a.text").allTextContents()).size === 1,
    );
    await page.keyboard.press("End");
    await page.keyboard.press("Backspace");
    await page.keyboard.type("1");
    await page.keyboard.press("Enter");
    await eventually(
      "the other is found",
      async () => (await page.locator("td a.text").first().textContent()) === "type_1",
    );
    await page.goBack();
    await eventually(
      "it is said again",
      async () => await page.getByLabel("Type").inputValue() === "type_2",
    );
    await page.close();
  });

  await t.step(
    "a server that does not answer is told of, and all goes on when it does",
    async () => {
      const { page } = await open();
      await page.clock.install();
      await watchShifts(page);
      await show(page, base, "");
      await page.route("**/api/**", (route) => route.abort());
      await page.clock.runFor(2_500);
      await page.getByRole("alert").filter({ hasText: "does not answer" }).waitFor();
      assert.equal(await page.getByRole("alert").count(), 1);
      assert.equal(await page.locator(".tiles").count(), 1);
      assert.equal(await shiftsOf(page), 0);
      await page.unroute("**/api/**");
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("alert").waitFor({ state: "detached" });
      await page.close();
    },
  );

  await t.step("an effect in doubt is seen at once, and decided", async () => {
    await parkEffect(sql, { type: "charge_card", error: "once: parked" });
    const { page, troubles } = await open();
    await show(page, base, "");
    await page.getByRole("link", { name: "1 effect in doubt" }).click();
    await page.getByRole("button", { name: "It happened: card" }).click();
    await page.getByLabel("What came of it").fill("{paid");
    await page.getByRole("dialog").getByRole("button", { name: "It happened" }).click();
    await page.getByRole("alert").filter({ hasText: "is not JSON" }).waitFor();
    await page.getByLabel("What came of it").fill('{"paid": 700}');
    await page.getByRole("dialog").getByRole("button", { name: "It happened" }).click();
    await page.getByText("Nothing is in doubt.").waitFor();
    const [effect] = await sql`
      select e.state, e.result, t.status from dibs.effect e join tasks t on t.id = e.id
      where t.type = 'charge_card'`;
    assert.deepEqual({ ...effect }, { state: "done", result: { paid: 700 }, status: "pending" });
    assert.deepEqual(troubles, []);
    await page.close();
  });
});

function scrollOf(page: Page): Promise<number> {
  return page.evaluate(() => scrollY);
}
