// Does what pg_cron and pg_net do in their background workers, for the stand-ins that
// stand_ins/ put into the database: runs the jobs that are due, sends the queued requests.
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import postgres, { type Sql } from "postgres";
import { isDue, type Job } from "./schedule.ts";

/** The running half of the stand-ins. */
export interface StandIns {
  stop(): Promise<void>;
}

const POLL_MS = 100;
const AFTER_FAILURE_MS = 1_000;
/** Far more than one of its own queries takes. */
const LONGEST_QUERY_MS = 10_000;
/** A little more than the server's statement_timeout. */
const LONGEST_JOB_MS = 125_000;

/** Starts it; `superuserUrl` is for its own books, `jobUrl` the role that jobs run as. */
export function runStandIns(superuserUrl: string, jobUrl: string): StandIns {
  const stopping = new AbortController();
  const running = keepConnected(superuserUrl, jobUrl, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** PostgreSQL may be starting again: whatever went wrong, the tables are still the truth. */
async function keepConnected(superuserUrl: string, jobUrl: string, stopping: AbortSignal) {
  while (!stopping.aborted) {
    await runUntilFailure(superuserUrl, jobUrl, stopping);
    await delay(AFTER_FAILURE_MS, { signal: stopping }).catch(() => {});
  }
}

/** After a failure no connection is used again: the driver may leave its queries unsettled for ever. */
async function runUntilFailure(superuserUrl: string, jobUrl: string, stopping: AbortSignal) {
  const books = postgres(superuserUrl, { max: 2, onnotice: () => {} });
  const jobs = postgres(jobUrl, { max: 8, onnotice: () => {} });
  const failure = new AbortController();
  const connections: Connections = {
    books,
    jobs,
    signal: AbortSignal.any([stopping, failure.signal]),
    fail: () => failure.abort(),
    inTime: (query, ms = LONGEST_QUERY_MS) => deadline(query, ms, { signal: failure.signal }),
  };
  await Promise.all([
    ...await standsIn(connections, "pg_net")
      ? [
        repeat(connections, () => sendQueued(connections)),
        repeat(connections, () => forgetOldResponses(connections), 60_000),
      ]
      : [],
    ...await standsIn(connections, "pg_cron") ? [repeat(connections, jobStarter(connections))] : [],
  ]);
  await Promise.all([books.end({ timeout: 1 }), jobs.end({ timeout: 1 })]);
}

/** The real one has a worker of its own. */
async function standsIn({ books, inTime, fail }: Connections, extension: string): Promise<boolean> {
  const found = await inTime(books`select from pg_extension where extname = ${extension}`)
    .catch(fail);
  return found?.length === 0;
}

/** What is used from one failure to the next. */
interface Connections {
  books: Sql;
  jobs: Sql;
  /** Aborted by a failure and when the stand-ins are stopped. */
  signal: AbortSignal;
  fail(): void;
  /** Rejects when the query has not settled by then, or something else has failed. */
  inTime<T>(query: Promise<T>, ms?: number): Promise<T>;
}

async function repeat({ signal, fail }: Connections, step: () => Promise<void>, pause = POLL_MS) {
  while (!signal.aborted) {
    await step().catch(fail);
    await delay(pause, { signal }).catch(() => {});
  }
}

// pg_net ---------------------------------------------------------------------------------------

interface QueuedRequest {
  id: string;
  method: string;
  url: string;
  headers: Record<string, string | null>;
  body: Uint8Array<ArrayBuffer> | null;
  timeout_milliseconds: number;
}

/** Sends one batch, and like pg_net takes no other before the slowest of it is done. */
async function sendQueued(connections: Connections): Promise<void> {
  const requests = await connections.inTime(connections.books<QueuedRequest[]>`
    delete from net.http_request_queue
    where id in (select id from net.http_request_queue order by id limit 200)
    returning *`);
  await Promise.all(requests.map((request) => send(connections, request)));
}

async function send({ books, inTime, signal }: Connections, request: QueuedRequest): Promise<void> {
  const timeout = AbortSignal.timeout(request.timeout_milliseconds);
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, value ?? ""]),
      ),
      body: request.body,
      signal: AbortSignal.any([timeout, signal]),
    });
    const content = await response.text();
    await inTime(books`
      insert into net._http_response (id, status_code, content_type, headers, content, timed_out)
      values (
        ${request.id}, ${response.status}, ${response.headers.get("content-type")},
        ${books.json(Object.fromEntries(response.headers))}, ${content}, false
      )`);
  } catch (error) {
    const reason = String((error as Error).cause ?? error);
    await inTime(books`
      insert into net._http_response (id, timed_out, error_msg)
      values (${request.id}, ${timeout.aborted}, ${reason})`);
  }
}

async function forgetOldResponses({ books, inTime }: Connections): Promise<void> {
  await inTime(books`delete from net._http_response where created < now() - interval '6 hours'`);
}

// pg_cron --------------------------------------------------------------------------------------

/** Starts jobs that are due; one that still runs is not started again until it has ended. */
function jobStarter(connections: Connections): () => Promise<void> {
  const { books, inTime, fail } = connections;
  const lastStart = new Map<string, Date>();
  const running = new Set<string>();
  return async () => {
    const now = new Date();
    for (const job of await inTime(books<Job[]>`select * from cron.job where active`)) {
      const last = lastStart.get(job.jobid);
      if (!last) lastStart.set(job.jobid, now);
      if (!last || running.has(job.jobid) || !isDue(job.schedule, last, now)) continue;
      lastStart.set(job.jobid, now);
      running.add(job.jobid);
      run(connections, job).catch(fail).finally(() => running.delete(job.jobid));
    }
  };
}

async function run({ books, jobs, inTime }: Connections, job: Job): Promise<void> {
  const [{ runid }] = await inTime(books`
    insert into cron.job_run_details (jobid, database, username, command, status, start_time)
    values (${job.jobid}, ${job.database}, ${job.username}, ${job.command}, 'running', clock_timestamp())
    returning runid`);
  const outcome = jobs.unsafe(job.command).then(
    (result) => ["succeeded", `${result.count ?? 0} rows`],
    (error) => ["failed", `ERROR:  ${error.message}`],
  );
  const [status, message] = await inTime(outcome, LONGEST_JOB_MS);
  await inTime(books`
    update cron.job_run_details
    set status = ${status}, return_message = ${message}, end_time = clock_timestamp()
    where runid = ${runid}`);
}
