import type { Page } from "playwright-core";

/** Opens a view of the dashboard at an address, and waits until it shows what it was asked for. */
export async function show(page: Page, base: string, path: string): Promise<void> {
  await page.goto("about:blank");
  await page.goto(`${base}#/${path}`);
  await page.locator("h1").waitFor();
  await page.locator(".skeleton, [aria-busy=true]").first().waitFor({ state: "detached" });
}

/** Has a page add up how far things in it move by themselves. */
export async function watchShifts(page: Page): Promise<void> {
  await page.addInitScript(() => {
    let sum = 0;
    Object.assign(globalThis, { shifted: () => sum });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        sum += (entry as PerformanceEntry & { value: number }).value;
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
}

/** How far, to three places: a figure at the right edge that gains a digit begins further left, and nothing else moves. */
export async function shiftsOf(page: Page): Promise<number> {
  const sum = await page.evaluate(() => Reflect.get(globalThis, "shifted")() as number);
  return Math.round(1_000 * sum) / 1_000;
}
