import { delay } from "@std/async/delay";
import { join } from "node:path";
import { followRecord, type Line, openRecord } from "../record/record.ts";
import { startStack } from "../stack/stack.ts";
import { type Evidence, gatherItems } from "./evidence.ts";
import { Feed } from "./feed.ts";
import type { Victims } from "./fault.ts";
import { type Mutation, plant } from "./mutation.ts";
import { startProxy } from "./proxy.ts";
import { randomFrom } from "./random.ts";
import { planFaults } from "./schedule.ts";
import { callWitness } from "./witness.ts";
import { Workers } from "./workers.ts";
import { makeWaves } from "./workload.ts";

/** How much, and what. */
export interface Plan {
  tasks: number;
  thoughts: number;
  workers: number;
  faults: number;
  seed: number;
  mutation?: Mutation;
}

/** What an experiment tells while it runs. */
export interface Narrator {
  /** A step that takes a while. */
  step(message: string): void;
  fault(name: string): void;
  progress(standing: { ended: number; total: number }): void;
}

/** What was found, and how often each fault came. */
export interface Findings {
  evidence: Evidence;
  faults: Record<string, number>;
  record: Line[];
}

const LEASE_SECONDS = 4;
/** With less than this under way, the next wave comes: what is lost shall not wait long behind others. */
const UNDER_WAY = 500;
/** When nothing has moved for so long, what is missing stays missing. */
const PATIENCE_MS = 30_000;
/** One that needs a connection which another one broke may never end. */
const LONGEST_FAULT_MS = 60_000;
const LOOK_EVERY_MS = 100;
const PROGRESS_EVERY_MS = 3_000;

/** Lets workers share work while faults come, then hears everybody who saw it. */
export async function experiment(
  plan: Plan,
  narrator: Narrator,
  signal: AbortSignal,
): Promise<Findings> {
  const total = plan.tasks + plan.thoughts;
  await using parts = new AsyncDisposableStack();
  const stateDir = await Deno.makeTempDir({ prefix: "dibs-chaos-" });
  parts.defer(() => Deno.remove(stateDir, { recursive: true }));
  const stack = await startStack({ stateDir, port: 0, onProgress: narrator.step });
  parts.defer(() => {
    narrator.step("Stopping");
    return stack.stop();
  });
  signal.throwIfAborted();
  const witness = parts.use(await callWitness(stack));
  if (plan.mutation) await plant(witness.sql, plan.mutation);
  const proxy = startProxy(stack.url);
  parts.defer(() => proxy.stop());
  const record = join(stateDir, "record.jsonl");
  openRecord(record);
  const account = { url: proxy.url, secretKey: stack.secretKey, record };
  narrator.step(`Working, with ${plan.workers} workers and ${plan.faults} faults`);
  const workers = new Workers(plan.workers, {
    ...account,
    dir: stateDir,
    leaseSeconds: LEASE_SECONDS,
  });
  parts.defer(() => workers.stop());

  const victims = { stack, workers, proxy, sql: witness.sql, leaseSeconds: LEASE_SECONDS };
  const troubles = new Troubles(plan, victims, narrator);
  const over = new AbortController();
  parts.defer(() => over.abort());
  const feed = new Feed(
    { ...account, signal: AbortSignal.any([signal, over.signal]) },
    makeWaves(plan, randomFrom(plan.seed)),
  );
  const lines: Line[] = [];
  const news = followRecord(record);
  let [enqueued, ended, movedAt, toldAt] = [0, 0, Date.now(), Date.now()];
  while (ended < total || troubles.areGoingOn) {
    await delay(LOOK_EVERY_MS, { signal });
    await workers.look();
    for (const line of await news()) {
      lines.push(line);
      if (line.kind === "enqueued") enqueued += line.items.length;
    }
    const before = ended;
    ended = await witness.ended();
    if (ended > before || troubles.areGoingOn) movedAt = Date.now();
    if (Date.now() - movedAt > PATIENCE_MS) break;
    if (enqueued - ended < UNDER_WAY) feed.next();
    troubles.begin(ended / total);
    if (Date.now() - toldAt < PROGRESS_EVERY_MS) continue;
    toldAt = Date.now();
    narrator.progress({ ended, total });
  }

  narrator.step("Hearing the witnesses");
  await workers.stop();
  lines.push(...await news());
  const { history, entries, ...testimony } = await witness.testify();
  return {
    evidence: {
      items: gatherItems(lines, history, entries),
      leaseSeconds: LEASE_SECONDS,
      endedByThemselves: workers.endedByThemselves,
      ...testimony,
    },
    faults: troubles.counts,
    record: lines,
  };
}

/** The planned faults: those to come, and those that are at work. */
class Troubles {
  readonly counts: Record<string, number> = {};
  readonly #planned: ReturnType<typeof planFaults>;
  #atWork = 0;

  constructor(
    { faults, seed }: Plan,
    private readonly victims: Victims,
    private readonly narrator: Narrator,
  ) {
    this.#planned = planFaults(faults, seed);
  }

  get areGoingOn(): boolean {
    return this.#atWork > 0;
  }

  /** Begins those that are due when so much of the work is begun. */
  begin(share: number): void {
    while (this.#planned.length > 0 && this.#planned[0].at <= share) {
      const { fault, random } = this.#planned.shift()!;
      this.counts[fault.name] = (this.counts[fault.name] ?? 0) + 1;
      this.narrator.fault(fault.name);
      this.#atWork++;
      const injected = fault.inject(this.victims, random);
      void Promise.race([injected, delay(LONGEST_FAULT_MS)]).finally(() => this.#atWork--);
    }
  }
}
