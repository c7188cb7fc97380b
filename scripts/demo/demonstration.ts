import { delay } from "@std/async/delay";
import { join } from "node:path";
import { count } from "../numbers.ts";
import type { Check } from "../screen.ts";
import type { Stack } from "../stack/stack.ts";
import { type Books, openBooks } from "./books.ts";
import { openEmails } from "./emails.ts";
import { Feed } from "./feed.ts";
import type { ProgressView } from "./progress.ts";
import { type Proof, prove } from "./proof.ts";
import { closeRecord, openRecord } from "../record/record.ts";
import { Watch } from "./watch.ts";
import { startWorker } from "../record/worker_process.ts";
import { type Amount, makeWorkload, WORK_TYPE } from "./workload.ts";

const AMOUNT: Amount = { carePlans: 200, otherTasks: 1_800, thoughts: 1_000, waves: 10 };
const WORKERS = 5;
/** Short, so that what the killed worker held comes back while one watches. */
const LEASE_SECONDS = 8;
/** A wake that got lost is made good by the tick, which comes every five seconds. */
const FIRST_DRAINS_MS = 15_000;
const LAST_SETTLEMENTS_MS = 30_000;
const LOOK_EVERY_MS = 100;

/** Where a stack keeps what belongs to the demonstration. */
export function demoFiles(stateDir: string) {
  const dir = join(stateDir, "demo");
  return {
    dir,
    /** The record while it is written, and the last one. */
    record: join(dir, "recording.jsonl"),
    lastRecord: join(dir, "record.jsonl"),
    log: (worker: string) => join(dir, `${worker}.log`),
  };
}

/**
 * Lets drains and workers share tasks and thoughts, kills one worker in the middle, and counts what
 * became of it all.
 */
export async function demonstrate(
  stack: Stack,
  { view, signal }: { view: ProgressView; signal: AbortSignal },
): Promise<{ proof: Proof; checks: Check[] }> {
  const began = Date.now();
  await using parts = new AsyncDisposableStack();
  parts.defer(() => view.stop());
  const files = demoFiles(stack.stateDir);
  await Deno.mkdir(files.dir, { recursive: true });
  openRecord(files.record);
  parts.defer(() => closeRecord(files.record, files.lastRecord));
  const books = parts.use(await openBooks(stack.databaseUrl, WORK_TYPE));
  const workload = makeWorkload(AMOUNT);
  const feed = new Feed(stack, files.record, workload);
  const emails = await openEmails(stack.mailUrl, workload);

  // Dispatch counts live workers in, so the drains begin before there are any. Tasks wake it, so
  // that the thoughts come first for it to see both.
  await feed.next("thoughts");
  await feed.next("tasks");
  const drains = await firstDrains(books, signal);
  if (drains > 0) view.good(`dispatch started ${count(drains, "drain")}`);
  const workers = Array.from({ length: WORKERS }, (_, n) => {
    const name = `worker-${n + 1}`;
    const log = files.log(name);
    return startWorker(name, {
      program: new URL("worker.ts", import.meta.url),
      url: stack.url,
      secretKey: stack.secretKey,
      record: files.record,
      log,
      leaseSeconds: LEASE_SECONDS,
      env: { DIBS_MAIL_URL: stack.mailUrl },
    });
  });
  const stopWorkers = () => Promise.all(workers.map((worker) => worker.stop()));
  parts.defer(async () => void await stopWorkers());
  view.good(
    `${workers.length} workers started, processes ${workers.map(({ pid }) => pid).join(" ")}`,
  );

  const watch = new Watch({ record: files.record, feed, workers, emails, view, signal });
  await watch.untilDone();
  // What a settlement did not reach comes back too, so the workers stay until Dibs agrees.
  const entries = await lastEntries(books, feed, signal);
  await stopWorkers();
  await watch.look();
  return prove(watch.account, {
    emails: { ...await emails.count(), expected: emails.expected },
    books: entries,
    workers: { started: WORKERS, killed: watch.victim ? 1 : 0 },
    drainsStarted: await books.drains(),
    seconds: (Date.now() - began) / 1000,
  });
}

async function firstDrains(books: Books, signal: AbortSignal): Promise<number> {
  const end = Date.now() + FIRST_DRAINS_MS;
  let drains = 0;
  while (drains === 0 && Date.now() < end) {
    await delay(LOOK_EVERY_MS, { signal });
    drains = await books.drains();
  }
  return drains;
}

/** What Dibs says in the end; a handler's end comes a moment before its settlement. */
async function lastEntries(books: Books, { ids }: Feed, signal: AbortSignal) {
  const end = Date.now() + LAST_SETTLEMENTS_MS;
  while (true) {
    const tasks = await books.completed("tasks", ids.tasks);
    const thoughts = await books.completed("thoughts", ids.thoughts);
    const complete = tasks === ids.tasks.length && thoughts === ids.thoughts.length;
    if (complete || Date.now() > end) return { tasks, thoughts };
    await delay(LOOK_EVERY_MS, { signal });
  }
}
