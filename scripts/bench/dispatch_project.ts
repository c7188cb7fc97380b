import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { startStack } from "../stack/stack.ts";
import { SETTINGS } from "./cluster.ts";

/** A whole project, with schedule, functions and a handler that only notes when it starts. */
export interface DispatchProject extends AsyncDisposable {
  sql: Sql;
  /** Enqueues one task, as a transaction of its own; due now unless told otherwise. */
  enqueue(n: number, how?: { over?: Sql; runAt?: Date }): Promise<void>;
  /** Enqueues so many tasks in one transaction, the first of them being `first`. */
  enqueueAll(first: number, tasks: number): Promise<void>;
  /** When the handler of each task started, in milliseconds of the epoch, by n. */
  starts(): Promise<Map<number, number>>;
  /** How many requests the functions have answered. */
  calls(): Promise<number>;
  connect(): Sql;
}

const TYPE = "generate_care_plan";

/** Starts it in a folder, with a PostgreSQL of its own that is as durable as the bench's. */
export async function startDispatchProject(dir: string): Promise<DispatchProject> {
  await using started = new AsyncDisposableStack();
  const stateDir = join(dir, "project");
  const starts = join(dir, "starts");
  await Deno.writeTextFile(starts, "");
  const stack = await startStack({
    stateDir,
    port: 0,
    fresh: true,
    postgres: { settings: SETTINGS },
    functions: {
      preload: new URL("instant_handler.ts", import.meta.url).href,
      env: { DIBS_BENCH_STARTS: starts },
    },
  });
  started.defer(stack.stop);
  const connections: Sql[] = [];
  started.defer(async () => {
    await Promise.all(connections.map((sql) => sql.end({ timeout: 0 })));
  });
  const connect = () => {
    const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
    connections.push(sql);
    return sql;
  };
  const sql = connect();
  const parts = started.move();
  return {
    sql,
    connect,
    async enqueue(n, { over = sql, runAt } = {}) {
      await over`select create_task(${TYPE}, ${sql.json({ n })}, p_run_at => ${runAt ?? null})`;
    },
    async enqueueAll(first, tasks) {
      for (let n = first; n < first + tasks; n += 1000) {
        const length = Math.min(1000, first + tasks - n);
        const batch = Array.from({ length }, (_, i) => ({ type: TYPE, payload: { n: n + i } }));
        await sql`select count(*) from enqueue_tasks(${sql.json(batch)})`;
      }
    },
    async starts() {
      const lines = (await Deno.readTextFile(starts)).trimEnd().split("\n");
      return new Map(lines.filter(Boolean).map((line) => line.split(" ").map(Number)) as []);
    },
    async calls() {
      const log = await Deno.readTextFile(join(stateDir, "functions.log"));
      return log.split('"event":"request"').length - 1;
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
