import { delay } from "@std/async/delay";
import { Account } from "./account.ts";
import type { Emails } from "./emails.ts";
import type { Feed } from "./feed.ts";
import type { ProgressView } from "./progress.ts";
import { count } from "../numbers.ts";
import { DRAINS, followRecord, type Line, type Surface, write } from "../record/record.ts";
import type { WorkerProcess } from "../record/worker_process.ts";

/** What is watched, and how. */
export interface WatchOptions {
  record: string;
  feed: Feed;
  workers: WorkerProcess[];
  emails: Emails;
  view: ProgressView;
  signal: AbortSignal;
}

/** With less than this waiting, the next wave comes: what is lost and returns shall not wait long. */
const WAITING = { tasks: 200, thoughts: 150 };
/** How much of both is done when one of the workers is killed. */
const KILL_AT = 0.2;
/** Long enough for a line that was being written to be seen. */
const FREEZE_MS = 200;
/** When nothing has moved for so long, what is missing stays missing. */
const PATIENCE_MS = 30_000;
const LOOK_EVERY_MS = 100;
const EMAILS_EVERY_MS = 500;
const SURFACES: Surface[] = ["tasks", "thoughts"];

/** Reads the record as it is written, shows how far everything is, and kills a worker on the way. */
export class Watch {
  readonly account = new Account();
  /** Who was killed, once somebody was. */
  victim: WorkerProcess | null = null;
  readonly #news: () => Promise<Line[]>;
  #emails = { sent: 0, askedAt: 0 };
  #saidRecovered = false;

  constructor(private readonly options: WatchOptions) {
    this.#news = followRecord(options.record);
  }

  async untilDone(): Promise<void> {
    let movedAt = Date.now();
    while (!this.#isDone() && Date.now() - movedAt < PATIENCE_MS) {
      await delay(LOOK_EVERY_MS, { signal: this.options.signal });
      await this.#mournTheUnexpected();
      if (await this.look() > 0) movedAt = Date.now();
      await this.#feed();
      if (!this.victim && this.#isTimeToKill()) await this.#killOne();
    }
  }

  /** Takes in what was written since the last look; returns how many lines that was. */
  async look(): Promise<number> {
    const lines = await this.#news();
    for (const line of lines) this.account.add(line);
    await this.#countEmails();
    this.#sayRecovered();
    this.#show();
    return lines.length;
  }

  #isDone(): boolean {
    const recovery = this.account.recovery;
    const held = recovery ? recovery.heldTasks + recovery.heldThoughts : Infinity;
    return recovery?.recovered === held &&
      SURFACES.every((surface) =>
        this.account.progress(surface).completed === this.#total(surface)
      );
  }

  async #feed(): Promise<void> {
    for (const surface of SURFACES) {
      const { enqueued, begun } = this.account.progress(surface);
      if (enqueued - begun < WAITING[surface]) await this.options.feed.next(surface);
    }
  }

  #isTimeToKill(): boolean {
    return SURFACES.every((surface) =>
      this.account.progress(surface).completed >= this.#total(surface) * KILL_AT
    );
  }

  #total(surface: Surface): number {
    return this.options.feed.total[surface];
  }

  /** Freezes a worker first, so that what it holds is still what it holds when it is killed. */
  async #killOne(): Promise<void> {
    const { record, workers, view } = this.options;
    const worker = workers.find(({ name }) => this.#holdsBoth(name));
    if (!worker) return;
    worker.freeze();
    await delay(FREEZE_MS);
    await this.look();
    if (!this.#holdsBoth(worker.name)) return worker.thaw();
    this.victim = worker;
    await worker.kill();
    write(record, { kind: "killed", by: worker.name });
    await this.look();
    const { heldTasks, heldThoughts } = this.account.recovery!;
    view.bad(
      `${worker.name} (process ${worker.pid}) killed: it held ${count(heldTasks, "task")} and ${
        count(heldThoughts, "thought")
      }`,
    );
  }

  #holdsBoth(name: string): boolean {
    const { tasks, thoughts } = this.account.holding(name);
    return tasks > 0 && thoughts > 0;
  }

  #sayRecovered(): void {
    const recovery = this.account.recovery;
    if (this.#saidRecovered || !recovery || recovery.seconds === null) return;
    this.#saidRecovered = true;
    const held = recovery.heldTasks + recovery.heldThoughts;
    this.options.view.good(
      `its ${count(held, "item")} are in other hands, ${recovery.seconds.toFixed(1)} s later`,
    );
  }

  async #countEmails(): Promise<void> {
    if (!this.#isDone() && Date.now() - this.#emails.askedAt < EMAILS_EVERY_MS) return;
    const { sent } = await this.options.emails.count();
    this.#emails = { sent, askedAt: Date.now() };
  }

  /** A worker that ends by itself is no part of the demonstration. */
  async #mournTheUnexpected(): Promise<void> {
    const dead = this.options.workers.find((worker) =>
      worker.exitCode !== null && worker !== this.victim
    );
    if (!dead) return;
    throw new Error(
      `${dead.name} ended by itself (exit code ${dead.exitCode}). The end of ${dead.log}:\n` +
        await dead.lastWords(),
    );
  }

  #show(): void {
    const { view, workers } = this.options;
    const bar = (surface: Surface) => ({
      done: this.account.progress(surface).completed,
      of: this.#total(surface),
    });
    const emails = { done: this.#emails.sent, of: this.options.emails.expected };
    view.show({
      bars: { tasks: bar("tasks"), thoughts: bar("thoughts"), emails },
      workers: workers.map(({ name }) => ({
        done: this.account.completedBy(name),
        killed: name === this.victim?.name,
      })),
      drains: this.account.completedBy(DRAINS),
    });
  }
}
