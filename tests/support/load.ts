import assert from "node:assert/strict";
import type { Sql } from "postgres";
import type { TestDatabase } from "./database.ts";
import { eventually } from "./eventually.ts";
import { assertInvariants } from "./invariants.ts";
import { claim, enqueue, type GrantedTask, ids, renew, settle } from "./tasks.ts";
import * as thoughts from "./thoughts.ts";

/** Workers that are at it without a pause. */
export interface Load {
  /** Waits until so many more turns were taken; fails as soon as one of the workers does. */
  turns(count: number): Promise<void>;
  /** Does what is left, and proves that nothing was lost, done twice or held by two. */
  finish(): Promise<void>;
}

interface Worker {
  name: string;
  sql: Sql;
  book: Book;
}

type Turn = (worker: Worker) => Promise<void>;

const ENQUEUERS: Turn[] = [enqueueTasks, addThoughts];
const WORKERS: Turn[] = [workOnTasks, workOnThoughts, updateTasks, claimAsBefore];
/** Those who need nothing of Dibs but what there was before it. */
export const OLDER_CLIENTS: Turn[] = [addThoughts, claimAsBefore];

/** Above this nobody enqueues, or enqueueing would outrun the work. */
const MOST_UNFINISHED = 400;

/** Sets so many workers of each kind to work, every one on a connection of its own. */
export function startLoad(
  db: TestDatabase,
  { kinds = [...ENQUEUERS, ...WORKERS], ofAKind = 2 }: { kinds?: Turn[]; ofAKind?: number } = {},
): Load {
  const book = new Book();
  const worker = (name: string) => ({ name, sql: db.as("service_role"), book });
  let [taken, over] = [0, false];
  const work = async (turn: Turn, n: number) => {
    const me = worker(`${turn.name}-${n}`);
    for (; !over; taken++) await turn(me);
  };
  const numbers = Array.from({ length: ofAKind }, (_, n) => n);
  const running = Promise.all(kinds.flatMap((turn) => numbers.map((n) => work(turn, n))));
  running.catch(() => over = true);
  return {
    async turns(count) {
      const wanted = taken + count;
      await eventually(`${count} turns`, () => over || taken >= wanted, 60);
      if (over) await running;
    },
    async finish() {
      over = true;
      await running;
      const last = worker("last");
      await eventually("everything is done", async () => {
        for (const turn of WORKERS) await turn(last);
        return book.unfinished === 0;
      }, 60);
      assert.deepEqual(await readEndings(db.sql), book.endings());
      await assertInvariants(db.sql);
    },
  };
}

// What the workers do -------------------------------------------------------------------------------

async function enqueueTasks({ sql, book }: Worker): Promise<void> {
  if (book.unfinished > MOST_UNFINISHED) {
    await sql`select dibs_status(), (select count(*) from tasks where status = 'pending')`;
    return;
  }
  const key = pick(["a", "b"]);
  book.enqueued(await enqueue(sql, pick(["email", "import"]), 20));
  book.enqueued(ids(await sql`select create_task('single', p_unique_key => ${key}) as id`));
  book.enqueued(ids(await sql`insert into tasks (type) values ('single') returning id`));
}

async function addThoughts({ sql, book }: Worker): Promise<void> {
  if (book.unfinished > MOST_UNFINISHED) await sql`select count(*) from thoughts`;
  else {for (const id of await thoughts.makeThoughts(sql, 5)) {
      book.enqueued([`${id} next`, `${id} old`]);
    }}
}

async function workOnTasks({ name, sql, book }: Worker): Promise<void> {
  let granted = await claim(sql, { worker: name, limit: pick([1, 7, 40]) });
  while (granted.length > 0) {
    book.granted(ids(granted));
    const [{ fence }] = granted;
    if (chance(0.3)) assert.deepEqual((await renew(sql, fence)).sort(), ids(granted).sort());
    const outcomes = granted.map(({ id }) => chooseOutcome(id));
    book.settling(outcomes);
    if (chance(0.5)) {
      assert.deepEqual(await settle(sql, fence, outcomes), { settled: granted.length, lost: [] });
      return;
    }
    const [{ answer }] = await sql`
      select settle_and_claim_tasks(
        ${fence}, ${sql.json(outcomes as never)}, null, ${name}, null, ${
      pick([1, 7, 40])
    }) as answer`;
    assert.deepEqual(answer.lost, []);
    granted = answer.tasks.map((task: GrantedTask) => ({ ...task, fence: answer.fence }));
  }
}

async function workOnThoughts({ name, sql, book }: Worker): Promise<void> {
  const granted = await thoughts.claimNext(sql, pick([1, 10]), { worker: name, workType: "next" });
  if (granted.length === 0) return;
  const [{ fence }] = granted;
  book.granted(granted.map(({ thought_id }) => `${thought_id} next`));
  if (chance(0.3)) assert.deepEqual(await thoughts.renew(sql, fence), thoughts.idsOf(granted));
  const outcomes = granted.map(({ thought_id }) => chooseOutcome(thought_id));
  book.settling(outcomes.map((outcome) => ({ ...outcome, id: `${outcome.id} next` })));
  const { lost } = await thoughts.settle(sql, fence, outcomes);
  assert.deepEqual(lost, []);
}

/** As people do, and clients that take one task after the other. */
async function updateTasks({ sql, book }: Worker): Promise<void> {
  const tasks = ids(await sql`select id from claim_task()`);
  book.granted(tasks);
  book.settling(tasks.map((id) => ({ id, status: "succeeded" })));
  await sql`update tasks set status = 'completed' where id = any (${tasks})`;
}

/** As clients do that look for thoughts themselves. */
async function claimAsBefore({ name, sql, book }: Worker): Promise<void> {
  const candidates = await sql`
    select id from thoughts t where not exists (
      select from thought_work_claims c where c.thought_id = t.id and c.work_type = 'old') limit 10`;
  const me = { worker: name, workType: "old" };
  const mine = await thoughts.claim(sql, candidates.map(({ id }) => id), me);
  book.granted(mine.map((id) => `${id} old`));
  for (const id of mine) {
    const { status } = chooseOutcome(id);
    book.settling([{ id: `${id} old`, status }]);
    if (status === "released") continue;
    assert.ok(await thoughts.release(sql, id, status, me), `${id} was lost`);
  }
  await sql`select release_claims_for_worker('old', ${name})`;
}

/** Those that fail do so for good: nobody here waits for a backoff. */
function chooseOutcome(id: string): thoughts.ThoughtOutcome {
  const status = pick(["succeeded", "succeeded", "succeeded", "failed", "released"]);
  return status === "failed" ? { id, status, error: "by chance", permanent: true } : { id, status };
}

// What came of it -----------------------------------------------------------------------------------

/** What the workers saw, kept apart from Dibs, whose own tables are on trial. */
class Book {
  readonly #items = new Map<string, "free" | "held" | "succeeded" | "failed">();
  unfinished = 0;

  enqueued(items: string[]): void {
    for (const item of items) this.#add(item);
  }

  granted(items: string[]): void {
    for (const item of items) {
      this.#add(item); // a worker may hear of it before who enqueued it does
      assert.equal(this.#items.get(item), "free", `${item} is granted once more`);
      this.#items.set(item, "held");
    }
  }

  /** To be noted before the call: from then on, what is handed back may be granted to others. */
  settling(outcomes: thoughts.ThoughtOutcome[]): void {
    for (const { id, status } of outcomes) {
      this.#items.set(id, status === "released" ? "free" : status as "succeeded" | "failed");
      if (status !== "released") this.unfinished--;
    }
  }

  endings(): string[] {
    return [...this.#items].map(([item, is]) => `${item} ${is}`).sort();
  }

  #add(item: string): void {
    if (this.#items.has(item)) return;
    this.#items.set(item, "free");
    this.unfinished++;
  }
}

/** The same, as Dibs has it. */
async function readEndings(sql: Sql): Promise<string[]> {
  const rows = await sql`
    select id || ' ' || case status when 'completed' then 'succeeded' else status end as ending from tasks
    union all
    select thought_id || ' ' || work_type || ' ' || status from thought_work_claims`;
  return rows.map(({ ending }) => ending).sort();
}

function pick<T>(list: T[]): T {
  return list[Math.floor(Math.random() * list.length)];
}

function chance(share: number): boolean {
  return Math.random() < share;
}
