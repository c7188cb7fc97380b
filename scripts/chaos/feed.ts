import { delay } from "@std/async/delay";
import type { Sql } from "postgres";
import { write } from "../record/record.ts";
import { Connection } from "./connection.ts";
import { nameOf, type NewTask, type NewThought, type Wave } from "./workload.ts";

/** Where work is handed over: the bad connection that workers have too. */
export interface FeedTerms {
  url: string;
  secretKey: string;
  record: string;
  /** For what commits late. */
  databaseUrl: string;
  signal: AbortSignal;
}

const WAVES_AT_ONCE = 20;
const CALL_MS = 3_000;
const PAUSE_MS = 200;
/** How long a transaction that enqueued something may stay open. */
const LATEST_MS = 1_500;
const TRANSACTION_MS = 10_000;
/** Of the tasks that were enqueued together, one in so many is cancelled at once. */
const CANCELLED_EACH = 45;
/** So many more are cancelled by and by, when many are being worked on. */
const LATEST_CANCEL_MS = 4_000;

/** Hands work over as a careful client does: it repeats each call until it has an answer. */
export class Feed {
  /** How many items were handed over, or are being. */
  handedOver = 0;
  readonly #waves: Iterator<Wave>;
  readonly #database: Connection;
  #busy = 0;
  #failure: unknown = null;

  constructor(private readonly terms: FeedTerms, waves: Iterable<Wave>) {
    this.#waves = waves[Symbol.iterator]();
    this.#database = new Connection(terms.databaseUrl, { name: "chaos", max: WAVES_AT_ONCE });
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** Begins with the next waves, until so many items are handed over. Throws what made one fail. */
  fillUp(target: number): void {
    if (this.#failure) throw this.#failure;
    while (this.handedOver < target && this.#busy < WAVES_AT_ONCE) {
      const { value: wave } = this.#waves.next();
      if (!wave) return;
      this.#busy++;
      this.#handOver(wave)
        .catch((error) => this.#failure = error)
        .finally(() => this.#busy--);
    }
  }

  async #handOver({ bulk, singles, late, thoughts }: Wave): Promise<void> {
    const ids = await this.#enqueue("/functions/v1/enqueue", bulk);
    this.#enqueueLate(late).catch((error) => this.#failure = error);
    for (const task of singles) await this.#enqueue("/rest/v1/rpc/enqueue_tasks", [task]);
    await this.#insert(thoughts);
    // Repeats change nothing: what is cancelled already, or has ended, stays as it is.
    const cancelled = ids.filter((_, nth) => nth % CANCELLED_EACH === CANCELLED_EACH - 1);
    await this.#cancel(cancelled);
    this.#cancelLater(ids.filter((_, nth) => nth % CANCELLED_EACH === 1))
      .catch((error) => this.#failure = error);
  }

  async #cancelLater(ids: string[]): Promise<void> {
    for (const id of ids) {
      await delay(Math.random() * LATEST_CANCEL_MS / ids.length, { signal: this.terms.signal });
      await this.#cancel([id]);
    }
  }

  async #cancel(ids: string[]): Promise<void> {
    if (ids.length > 0) await this.#post("/rest/v1/rpc/cancel_tasks", { p_ids: ids });
  }

  async #enqueue(path: string, tasks: NewTask[]): Promise<string[]> {
    if (tasks.length === 0) return [];
    this.#note("tasks", tasks.map(nameOf.task));
    const request = crypto.randomUUID();
    const answer = path.endsWith("/enqueue")
      ? (await this.#post(path, { tasks, request_id: request })).tasks
      : await this.#post(path, { p_tasks: tasks, p_request_id: request });
    return answer.map(({ id }: { id: string }) => id);
  }

  /** What others enqueue and finish meanwhile is newer than this, and seen before it. */
  async #enqueueLate(tasks: NewTask[]): Promise<void> {
    if (tasks.length === 0) return;
    const { signal } = this.terms;
    this.#note("tasks", tasks.map(nameOf.task));
    const request = crypto.randomUUID();
    const enqueue = (sql: Sql) =>
      sql.begin(async (sql) => {
        await sql`select enqueue_tasks(${sql.json(tasks as never)}, ${request})`;
        await delay(Math.random() * LATEST_MS, { signal });
        return true;
      });
    while (!signal.aborted) {
      const inTime = AbortSignal.timeout(TRANSACTION_MS);
      if (await this.#database.run(enqueue, inTime).catch(() => false)) return;
      await delay(PAUSE_MS);
    }
  }

  async #insert(thoughts: NewThought[]): Promise<void> {
    if (thoughts.length === 0) return;
    this.#note("thoughts", thoughts.map(nameOf.thought));
    // Those that are there already are there by an earlier try.
    await this.#post("/rest/v1/thoughts", thoughts, { prefer: "resolution=ignore-duplicates" });
  }

  /** Before anybody else hears of them, so that no work is done before it is known. */
  #note(surface: "tasks" | "thoughts", items: string[]): void {
    this.handedOver += items.length;
    write(this.terms.record, { kind: "enqueued", surface, items });
  }

  async #post(path: string, body: unknown, headers: HeadersInit = {}) {
    const { url, secretKey, signal } = this.terms;
    while (true) {
      signal.throwIfAborted();
      const response = await fetch(url + path, {
        method: "POST",
        headers: { ...headers, apikey: secretKey, "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]),
      }).catch(() => null);
      const text = await response?.text().catch(() => null) ?? null;
      if (response && text !== null) {
        if (response.ok) return text ? JSON.parse(text) : null;
        if (response.status < 500) throw new Error(`POST ${path}: ${response.status} ${text}`);
      }
      await delay(PAUSE_MS, { signal });
    }
  }
}
