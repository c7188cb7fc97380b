import { abortable } from "@std/async/abortable";
import { delay } from "@std/async/delay";
import type { Sql } from "postgres";
import { Books } from "../books.ts";
import { connect } from "../calls.ts";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender, Payload, Task } from "../contender.ts";
import { dibs } from "../contenders/dibs.ts";
import { type Cell, enqueueAll, type Figures, newTask, type Scale } from "../workload.ts";
import { Witness } from "../witness.ts";

const WORKERS = 32;
/** Beside the one that has the limit. */
const KEYS = 20;
const LIMITED = "limited";
/** How long a worker is at a task of the limited key. With all others it is done at once. */
const WORK_MS = 10;
/** The shortest there is: so long after a kill nobody may have the key. */
const LEASE_SECONDS = 1;
const KILL_EVERY_MS = 2_000;
const LONGEST_MS = 60_000;

const NO_KEYS = { ...dibs, name: "dibs_no_keys" };
const NO_LIMIT = { ...dibs, name: "dibs_no_limit" };
const LIMIT_1 = { ...dibs, name: "dibs_limit_1" };

/**
 * What a key with limit 1 costs the other keys while there is always more of it to do and workers that
 * have it are killed; and that no two ever have it at once, unlike where it has no limit.
 */
export function limitsCells({ quick, tasks = quick ? 1_000 : 20_000 }: Scale): Cell[] {
  return [{
    workload: "limits",
    name: `W${WORKERS} b1, ${KEYS + 1} keys`,
    contenders: [NO_KEYS, NO_LIMIT, LIMIT_1],
    measure: (contender, database) => measureLimits(contender, database, tasks),
  }];
}

interface Job {
  database: BenchDatabase;
  /** Of the tasks of other keys, which have the numbers from 0 on. */
  tasks: number;
  books: Books;
  witness: Witness;
  /** Those who have a task of the limited key, or wait to hear that they have settled it. */
  holders: Set<Holder>;
}

interface Holder {
  pid: number;
  death: AbortController;
}

async function measureLimits(
  contender: Contender,
  database: BenchDatabase,
  tasks: number,
): Promise<Figures> {
  const queue = await contender.open(database);
  await enqueueAll(
    queue,
    tasks + Math.floor(tasks / KEYS),
    (i) => taskInTurn(i, tasks, contender !== NO_KEYS),
  );
  if (contender === LIMIT_1) {
    await database.superuser`select public.set_task_limit('bench', 1, ${LIMITED})`;
  }
  await database.superuser`vacuum analyze`;

  const [books, witness] = [new Books(tasks, LONGEST_MS), new Witness()];
  const job = { database, tasks, books, witness, holders: new Set<Holder>() };
  const [kills] = await Promise.all([
    killHolders(job),
    ...Array.from({ length: WORKERS }, (_, i) => staff(job, `worker-${i + 1}`)),
  ]);
  books.end();
  const { left, limited } = await countEnded(database, tasks);
  books.check(left);
  await queue[Symbol.asyncDispose]();
  return {
    ...books.figures(),
    // Without the waiting for the lease of somebody killed when hardly any are left.
    tasks_per_second: books.rate(0.1, 0.9),
    kills,
    overlaps: witness.overlaps,
    limited_done: limited,
  };
}

/** One of each key after the other; of the limited one the numbers come after all others. */
function taskInTurn(i: number, tasks: number, keys: boolean): Task {
  const [round, place] = [Math.floor(i / (KEYS + 1)), i % (KEYS + 1)];
  const [n, key] = place < KEYS ? [round * KEYS + place, `key ${place}`] : [tasks + round, LIMITED];
  return { ...newTask(n), ...keys && { key } };
}

/** Has somebody work, and somebody new whenever that one is killed. */
async function staff(job: Job, workerId: string): Promise<void> {
  while (!job.books.signal.aborted) {
    const death = new AbortController();
    await work(job, workerId, death).catch((error) => {
      if (!death.signal.aborted) throw error;
    });
  }
}

async function work(
  { database, tasks, books, witness, holders }: Job,
  workerId: string,
  death: AbortController,
): Promise<void> {
  const sql = await connect(database);
  const [{ pid }] = await sql`select pg_backend_pid() as pid`;
  const self = { pid, death };
  let fence: string | null = null;
  while (!books.signal.aborted) {
    const asked = performance.now();
    // A call over a connection that broke may never end.
    const answer = await abortable(settleAndClaim(sql, fence, workerId), death.signal);
    books.onCall(performance.now() - asked);
    holders.delete(self);
    fence = answer.fence;
    if (fence === null) {
      await delay(1);
    } else if (answer.payload!.n < tasks) {
      books.execute(answer.payload!);
    } else {
      witness.takes(fence, asked + LEASE_SECONDS * 1000);
      holders.add(self);
      await delay(WORK_MS, { signal: death.signal });
      witness.gives(fence);
    }
  }
  if (fence !== null) await sql`select public.settle_lease(${fence}, '[]', 'succeeded')`;
  await sql.end();
}

async function settleAndClaim(
  sql: Sql,
  fence: string | null,
  workerId: string,
): Promise<{ fence: string | null; payload?: Payload }> {
  if (fence === null) {
    const [task] = await sql<{ fence: string; payload: Payload }[]>`
      select fence, payload from public.claim_tasks(${workerId}, '{bench}', 1, ${LEASE_SECONDS})`;
    return task ?? { fence: null };
  }
  const [{ answer }] = await sql`
    select public.settle_and_claim_tasks(
      ${fence}, '[]', 'succeeded', ${workerId}, '{bench}', 1, ${LEASE_SECONDS}) as answer`;
  return { fence: answer.fence, payload: answer.tasks[0]?.payload };
}

/**
 * Every so often has a worker that has the limited key never be heard of again, in its work or in the
 * call after it: every second one's backend is ended, the others' goes on with what it is at. Returns
 * how many.
 */
async function killHolders({ database, books, holders }: Job): Promise<number> {
  let kills = 0;
  let due = performance.now() + KILL_EVERY_MS;
  while (true) {
    await delay(Math.max(due - performance.now(), 1), { signal: books.signal }).catch(() => {});
    if (books.signal.aborted) return kills;
    const [holder] = holders;
    if (!holder) continue;
    holders.delete(holder);
    holder.death.abort();
    if (kills++ % 2 === 0) await database.superuser`select pg_terminate_backend(${holder.pid})`;
    due += KILL_EVERY_MS;
  }
}

/** How many of the other keys' tasks are left, and how many of the limited key's are done. */
async function countEnded(
  { superuser }: BenchDatabase,
  tasks: number,
): Promise<{ left: number; limited: number }> {
  const [counts] = await superuser<{ left: number; limited: number }[]>`
    select count(*) filter (where n < ${tasks} and status <> 'completed')::int as left,
      count(*) filter (where n >= ${tasks} and status = 'completed')::int as limited
    from (select (payload ->> 'n')::int as n, status from public.tasks) t`;
  return counts;
}
