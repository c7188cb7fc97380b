import type { Page } from "playwright-core";
import { launchChromium } from "../../chromium.ts";
import { createDashboard } from "../../dashboard/server.ts";
import type { BenchDatabase } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import { startProject } from "../project.ts";
import type { Cell, Figures, Scale } from "../workload.ts";
import { loadFinished, loadPending, loadStatistics } from "./dashboard_tasks.ts";

const VIEWPORT = { width: 1280, height: 860 };
/** What is on the screen once a page shows what it was asked for, and nothing that it was asked before. */
const SHOWN = "main :is(.table, .tiles, .grid, .columns, .empty):not(.old *)";
const UNSHOWN = "main :is(.skeleton, [aria-busy=true], [role=alert])";

/** What somebody does in a view, by what is clicked; then the view that it leads to. */
type Step = { from: string; click: string; fill?: [string, string] };

/** Each page opened, by its address. */
const OPENED: Record<string, string> = {
  overview: "",
  tasks: "tasks",
  "tasks that wait": "tasks?status=pending",
  "failed tasks": "tasks?status=failed",
  "workers": "workers",
  "claims": "claims",
  "gates": "gates",
  "schedules": "schedules",
  "effects": "effects",
  "dispatches": "dispatches",
};

const FIND = "form.filters button";
const DONE: Record<string, Step> = {
  "open a task": { from: "tasks", click: "tbody a" },
  "next page": { from: "tasks", click: ".pages a" },
  "next page of those that wait": { from: "tasks?status=pending", click: ".pages a" },
  "filter by status": { from: "tasks", click: ".choice a:nth-child(5)" },
  "filter by type": { from: "tasks", click: FIND, fill: ["type", "type_7"] },
  "filter by error": { from: "tasks", click: FIND, fill: ["error", "no such address 77"] },
  "filter by payload": { from: "tasks", click: FIND, fill: ["payload", '{"n": 77}'] },
  "filter by key": { from: "tasks", click: FIND, fill: ["key", "tenant-7"] },
  "charts of 7 days": { from: "", click: ".bar .choice a:last-child" },
};

/** The dashboard in a browser, with so many tasks that wait, one by one, and as many that have ended. */
export function dashboardCells({ quick, tasks = quick ? 5_000 : 1_000_000 }: Scale): Cell[] {
  const loaded = {
    ...dibs,
    async install(database: BenchDatabase) {
      await dibs.install(database);
      // As the tick does; what happened before the first look is not counted.
      await database.superuser`select dibs.take_look()`;
      await loadFinished(database, tasks);
      await loadPending(database, tasks);
      // Some ticks later: of the last ten seconds counts read what is there.
      await database.superuser`select dibs.take_look()`;
      await database.superuser`update dibs.look set at = at - interval '1 minute' where true`;
      await database.superuser`select dibs.take_look()`;
      await loadStatistics(database);
      await database.superuser`vacuum analyze`;
      await database.superuser`checkpoint`;
    },
  };
  const cell = (name: string, measure: Measure, isWarm = true): Cell => ({
    workload: "dashboard",
    name,
    contenders: [loaded],
    measure: (_, database) => withPage(database, isWarm, measure),
  });
  return [
    cell("the very first view", (page, base) => open(page, base, ""), false),
    ...Object.entries(OPENED).map(([name, path]) =>
      cell(`open ${name}`, (page, base) => open(page, base, path))
    ),
    ...Object.entries(DONE).map(([name, step]) =>
      cell(name, async (page, base) => {
        await open(page, base, step.from);
        return await take(page, step);
      })
    ),
  ];
}

type Measure = (page: Page, base: string) => Promise<Figures>;

/** A page that has nothing in its cache; where it is warm somebody else has looked before. */
async function withPage(
  database: BenchDatabase,
  isWarm: boolean,
  measure: Measure,
): Promise<Figures> {
  await using parts = new AsyncDisposableStack();
  const project = parts.use(await startProject(database));
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    createDashboard({ ...project, databaseUrl: database.url }),
  );
  parts.defer(() => server.shutdown());
  const base = `http://127.0.0.1:${server.addr.port}/`;
  const browser = await launchChromium();
  parts.defer(() => browser.close());
  if (isWarm) {
    for (const path of ["", "tasks"]) {
      const page = await browser.newPage({ viewport: VIEWPORT });
      await open(page, base, path);
      await page.close();
    }
  }
  return await measure(await browser.newPage({ viewport: VIEWPORT }), base);
}

async function open(page: Page, base: string, path: string): Promise<Figures> {
  await page.addInitScript(watchPaints);
  await page.goto(`${base}#/${path}`);
  const shown = await page.waitForFunction(whenShown, [SHOWN, UNSHOWN, ""], { polling: "raf" });
  const paints = await page.evaluate(() => Reflect.get(globalThis, "paints") as Figures);
  return { ...paints, shown_ms: await shown.jsonValue() as number };
}

/** From the click to what it leads to. */
async function take(page: Page, { click, fill }: Step): Promise<Figures> {
  if (fill) await page.fill(`input[name=${fill[0]}]`, fill[1]);
  const before = page.url();
  const began = await page.evaluate((click) => {
    const began = performance.now();
    document.querySelector<HTMLElement>(click)!.click();
    return began;
  }, click);
  const shown = await page.waitForFunction(whenShown, [SHOWN, UNSHOWN, before], { polling: "raf" });
  return { shown_ms: await shown.jsonValue() as number - began };
}

/** In the browser: the moment when it shows what it was asked for; false before. */
function whenShown([shown, unshown, before]: string[]): number | false {
  const isShown = location.href !== before && document.querySelector(shown) &&
    !document.querySelector(unshown);
  return isShown ? performance.now() : false;
}

/** In the browser, before anything is painted. */
function watchPaints(): void {
  const paints: Record<string, number> = {};
  Object.assign(globalThis, { paints });
  const keep = (type: string, name: string) =>
    new PerformanceObserver((list) => {
      for (const { name: what, startTime } of list.getEntries()) {
        if (what !== "first-paint") paints[name] = startTime;
      }
    }).observe({ type, buffered: true });
  keep("paint", "first_paint_ms");
  keep("largest-contentful-paint", "largest_paint_ms");
}
