import { delay } from "@std/async/delay";
import { join } from "node:path";
import { openRecord, readRecord } from "../record/record.ts";
import { PROJECT_DIR } from "../stack/migrate.ts";
import { holdPort } from "../stack/ports.ts";
import { startProgram } from "../stack/processes.ts";
import { startStack } from "../stack/stack.ts";
import { prepareContest } from "./contest.ts";
import { gatherItems, type Item, type Mail, type Sources } from "./evidence.ts";
import { Feed } from "./feed.ts";
import type { Fault, Victims } from "./fault.ts";
import { setLimits } from "./gates.ts";
import { Judge } from "./judge.ts";
import { startProxy, Weather } from "./proxy.ts";
import { randomFrom } from "./random.ts";
import { planFaults } from "./schedule.ts";
import { timelinesOf } from "./timeline.ts";
import { callWitness } from "./witness.ts";
import { Workers } from "./workers.ts";
import { makeWaves } from "./workload.ts";

/** How much, and what. */
export interface Plan {
  tasks: number;
  thoughts: number;
  workers: number;
  faults: number;
  /** All there are, unless given. */
  kinds?: Fault[];
  seed: number;
  /** Of the workers' leases; 4. */
  leaseSeconds?: number;
  /** Where the migrations are; this project, unless given. */
  projectDir?: string;
  /** When nothing has moved for so long, what is missing stays missing. */
  patienceMs?: number;
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
  judge: Judge;
  faults: Record<string, number>;
  /** What happened to some of the items that break an invariant. */
  timelines: Map<Item, string[]>;
}

/** With less than this under way for each worker, more comes: what is lost shall not wait long. */
const UNDER_WAY_PER_WORKER = 80;
const PATIENCE_MS = 30_000;
/** One that needs a connection which another one broke may never end. */
const LONGEST_FAULT_MS = 60_000;
/** Looks take a while once much has ended; they shall not take all the time. */
const LOOK_EVERY_MS = { least: 250, most: 1_000, looks: 20 };
const PROGRESS_EVERY_MS = 3_000;
/** So many items are judged together. */
const ITEMS_PER_SHARE = 200_000;
const TIMELINES = 2;

/** Lets workers share work while faults come, then hears everybody who saw it, and judges. */
export async function experiment(
  plan: Plan,
  narrator: Narrator,
  signal: AbortSignal,
): Promise<Findings> {
  const { projectDir = PROJECT_DIR, patienceMs = PATIENCE_MS, leaseSeconds = 4, seed } = plan;
  const total = plan.tasks + plan.thoughts;
  await using parts = new AsyncDisposableStack();
  const stateDir = await Deno.makeTempDir({ prefix: "dibs-chaos-" });
  parts.defer(() => Deno.remove(stateDir, { recursive: true }));
  const record = join(stateDir, "record.jsonl");
  openRecord(record);
  const stack = await startStack({
    stateDir,
    port: 0,
    projectDir,
    functions: {
      preload: new URL("workers/drains.ts", import.meta.url).href,
      env: { DIBS_RECORD: record, DIBS_LEASE_SECONDS: String(leaseSeconds) },
    },
    onProgress: narrator.step,
  });
  parts.defer(() => {
    narrator.step("Stopping");
    return stack.stop();
  });
  signal.throwIfAborted();
  const mailFile = join(stateDir, "chaos_mails.jsonl");
  const sink = await startSink(mailFile, stateDir);
  parts.defer(() => sink.stop());
  const witness = await callWitness(stack);
  parts.defer(() => witness.leave());
  const contested = await prepareContest(stack.databaseUrl);
  await setLimits(stack.databaseUrl);
  const weather = new Weather();
  const through = (target: string) => {
    const proxy = startProxy(target, weather);
    parts.defer(() => proxy.stop());
    return Object.assign(new URL(target), { host: new URL(proxy.url).host }).href;
  };

  narrator.step(`Working, with ${plan.workers} workers and ${plan.faults} faults`);
  const account = { url: new URL(through(stack.url)).origin, secretKey: stack.secretKey, record };
  const { databaseUrl } = stack;
  const workers = new Workers(plan.workers, {
    ...account,
    dir: stateDir,
    leaseSeconds,
    databaseUrl,
    badDatabaseUrl: through(databaseUrl),
    mailUrl: through(sink.url),
  });
  parts.defer(() => workers.stop());
  const victims = { stack, workers, weather, projectDir, leaseSeconds };
  const troubles = new Troubles(plan, victims, narrator);
  const over = new AbortController();
  parts.defer(() => over.abort());
  const feed = new Feed(
    { ...account, databaseUrl, signal: AbortSignal.any([signal, over.signal]) },
    makeWaves(plan, randomFrom(seed)),
  );
  parts.defer(() => feed.close());
  let [ended, movedAt, toldAt, pause] = [0, Date.now(), Date.now(), 0];
  while (ended < total || troubles.areGoingOn) {
    await delay(pause, { signal });
    await workers.look();
    const [before, lookedAt] = [ended, Date.now()];
    ended = await witness.ended();
    const { least, most, looks } = LOOK_EVERY_MS;
    pause = Math.min(Math.max(least, looks * (Date.now() - lookedAt)), most);
    if (ended > before || troubles.areGoingOn) movedAt = Date.now();
    if (Date.now() - movedAt > patienceMs) break;
    feed.fillUp(UNDER_WAY_PER_WORKER * plan.workers + ended);
    troubles.begin(ended / total);
    if (Date.now() - toldAt < PROGRESS_EVERY_MS) continue;
    toldAt = Date.now();
    narrator.progress({ ended, total });
  }

  narrator.step("Hearing the witnesses");
  await workers.stop();
  const { maxLosses, ...testimony } = await witness.testify();
  const terms = { leaseSeconds, maxLosses };
  const judge = new Judge(terms);
  const { endedByThemselves } = workers;
  judge.close({ ...terms, ...testimony, endedByThemselves });
  const sources: Sources = {
    contested,
    record: () => readRecord(record),
    history: (share) => witness.history(share),
    entries: (share) => witness.entries(share),
    parked: () => witness.parked(),
    posted: () => witness.posted(),
    mails: () => readMails(mailFile),
  };
  const shares = Math.ceil(total / ITEMS_PER_SHARE);
  for (let number = 0; number < shares; number++) {
    const items = await gatherItems(sources, { number, of: shares });
    for (const item of items.values()) judge.hear(item);
  }
  const examples = judge.broken.flatMap(({ items }) => items.slice(0, TIMELINES));
  return {
    judge,
    faults: troubles.counts,
    timelines: await timelinesOf(examples, readRecord(record)),
  };
}

async function startSink(mailFile: string, stateDir: string) {
  using port = holdPort();
  port.release();
  const sink = await startProgram({
    program: "../chaos/sink.ts",
    port: port.port,
    env: { DIBS_MAIL_FILE: mailFile },
    log: join(stateDir, "sink.log"),
  });
  return { url: `http://127.0.0.1:${sink.port}/emails`, stop: sink.stop };
}

async function readMails(file: string): Promise<Mail[]> {
  const lines = (await Deno.readTextFile(file)).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

/** The planned faults: those to come, and those that are at work. */
class Troubles {
  readonly counts: Record<string, number> = {};
  readonly #planned: ReturnType<typeof planFaults>;
  #atWork = 0;
  #failure: unknown = null;

  constructor(
    { faults, seed, kinds }: Plan,
    private readonly victims: Victims,
    private readonly narrator: Narrator,
  ) {
    this.#planned = planFaults(faults, seed, kinds);
  }

  get areGoingOn(): boolean {
    return this.#atWork > 0;
  }

  /** Begins those that are due when so much of the work has ended. Throws what made one fail. */
  begin(share: number): void {
    if (this.#failure) throw this.#failure;
    while (this.#planned.length > 0 && this.#planned[0].at <= share) {
      const { fault, random } = this.#planned.shift()!;
      this.counts[fault.name] = (this.counts[fault.name] ?? 0) + 1;
      this.narrator.fault(fault.name);
      this.#atWork++;
      const injected = fault.inject(this.victims, random);
      Promise.race([injected, delay(LONGEST_FAULT_MS)])
        .catch((error) => this.#failure = error)
        .finally(() => this.#atWork--);
    }
  }
}
