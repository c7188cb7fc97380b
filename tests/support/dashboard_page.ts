import type { BrowserContextOptions, Page } from "playwright-core";
import postgres, { type Sql } from "postgres";
import type { Stack } from "../../scripts/stack/stack.ts";
import { startBrowser, type WatchedPage } from "./browser.ts";
import { testStack } from "./stack.ts";

export const DESKTOP = { width: 1280, height: 860 };

/** The dashboard of a stack of its own, and a browser to look at it with. */
export interface ShownDashboard extends AsyncDisposable {
  stack: Stack;
  sql: Sql;
  /** Where the page is. */
  base: string;
  /** As wide as a desktop, if nothing else is said. */
  open(options?: BrowserContextOptions): Promise<WatchedPage>;
}

export async function showDashboard(): Promise<ShownDashboard> {
  await using parts = new AsyncDisposableStack();
  const stack = parts.use(await testStack());
  const browser = parts.use(await startBrowser());
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  parts.defer(() => sql.end());
  const kept = parts.move();
  return {
    stack,
    sql,
    base: `${stack.url}/dashboard/`,
    open: (options) => browser.open({ viewport: DESKTOP, ...options }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

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
