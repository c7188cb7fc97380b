import { delay } from "@std/async/delay";
import { dibs } from "../contenders/dibs.ts";
import { type DispatchProject, startDispatchProject } from "../dispatch_project.ts";
import { percentile } from "../percentile.ts";
import type { Cell, Figures, Scale } from "../workload.ts";

/** Longer than enqueues are taken for one burst. */
const APART_MS = 1_500;
const LONGEST_MS = 120_000;
const WRITERS = 8;

type Measure = (project: DispatchProject, scale: Scale) => Promise<Figures>;

const CELLS: Record<string, Measure> = {
  "woken": measureWake,
  "by a tick": measureTick,
  "backlog": measureBacklog,
  "burst, each a transaction": measureBurst,
  "idle": measureIdle,
};

/**
 * What dispatch takes and costs, on a whole project: from a task being due to the start of its handler in a
 * drain, and how many calls of functions that was. Only Dibs.
 */
export function dispatchCells(scale: Scale): Cell[] {
  return Object.entries(CELLS).map(([name, measure]) => ({
    workload: "dispatch",
    name,
    contenders: [dibs],
    async measure(_, { dir }) {
      await using project = await startDispatchProject(dir);
      // The first call loads the functions.
      await project.enqueue(-1);
      await untilStarted(project, 1);
      await untilQuiet(project);
      return await measure(project, scale);
    },
  }));
}

/** Tasks that come one at a time, to a project where nothing else goes on. */
async function measureWake(project: DispatchProject, { quick }: Scale): Promise<Figures> {
  return await oneByOne(project, quick ? 3 : 20, 0);
}

/** Tasks that fall due without anybody enqueueing at that moment. */
async function measureTick(project: DispatchProject, { quick }: Scale): Promise<Figures> {
  return await oneByOne(project, quick ? 2 : 10, 500);
}

async function oneByOne(
  project: DispatchProject,
  tasks: number,
  dueInMs: number,
): Promise<Figures> {
  const due: number[] = [];
  const before = await project.calls();
  for (let n = 0; n < tasks; n++) {
    // Nor is any tick to be met at the same place each time.
    await delay(APART_MS + 1_000 * Math.random());
    due[n] = epochMs() + dueInMs;
    await project.enqueue(n, { runAt: dueInMs ? new Date(due[n]) : undefined });
    await untilStarted(project, n + 2);
    await untilQuiet(project);
  }
  return { ...await latencies(project, due), ...await costs(project, before, tasks) };
}

/** Many tasks at once. */
async function measureBacklog(
  project: DispatchProject,
  { quick, tasks = quick ? 1_000 : 10_000 }: Scale,
): Promise<Figures> {
  const before = await project.calls();
  const due = Array(tasks).fill(epochMs());
  await project.enqueueAll(0, tasks);
  await untilStarted(project, tasks + 1);
  await untilQuiet(project);
  return { ...await latencies(project, due), ...await costs(project, before, tasks) };
}

/** Many tasks, each enqueued by a transaction of its own. */
async function measureBurst(
  project: DispatchProject,
  { quick, tasks = quick ? 1_000 : 10_000 }: Scale,
): Promise<Figures> {
  const before = await project.calls();
  const [{ last }] = await project.sql`select max(id) as last from dibs.dispatch`;
  const due: number[] = [];
  let n = 0;
  await Promise.all(Array.from({ length: WRITERS }, async () => {
    const sql = project.connect();
    while (n < tasks) {
      due[n] = epochMs();
      await project.enqueue(n++, { over: sql });
    }
  }));
  await untilStarted(project, tasks + 1);
  await untilQuiet(project);
  const [{ wakes }] = await project.sql`
    select count(*)::int as wakes from dibs.dispatch where id > ${last} and reason = 'wake'`;
  return {
    ...await latencies(project, due),
    ...await costs(project, before, tasks),
    wake_calls: wakes,
  };
}

async function measureIdle(project: DispatchProject, { quick }: Scale): Promise<Figures> {
  const before = await project.calls();
  await delay(quick ? 10_000 : 60_000);
  return { calls_while_idle: await project.calls() - before };
}

async function latencies(project: DispatchProject, due: number[]): Promise<Figures> {
  const starts = await project.starts();
  const took = due.map((at, n) => starts.get(n)! - at);
  return { latency_p50_ms: percentile(took, 0.5), latency_p99_ms: percentile(took, 0.99) };
}

async function costs(project: DispatchProject, before: number, tasks: number): Promise<Figures> {
  return { calls_per_1000_tasks: (await project.calls() - before) * 1000 / tasks };
}

async function untilStarted(project: DispatchProject, tasks: number): Promise<void> {
  const deadline = performance.now() + LONGEST_MS;
  while ((await project.starts()).size < tasks) {
    if (performance.now() > deadline) {
      throw new Error(`After ${LONGEST_MS / 1000} s not all ${tasks} tasks had been started.`);
    }
    await delay(100);
  }
}

/** No task is left, and no drain is at work. */
async function untilQuiet({ sql }: DispatchProject): Promise<void> {
  while (true) {
    const [{ busy }] = await sql`
      select exists (select from dibs.lease) or exists (select from dibs.ready) as busy`;
    if (!busy) return;
    await delay(50);
  }
}

function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
