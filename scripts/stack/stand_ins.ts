// Does what pg_cron and pg_net do in their background workers, for the stand-ins that
// stand_ins.sql put into the database: runs the jobs that are due, sends the queued requests.
import { delay } from "@std/async/delay";
import postgres, { type Sql } from "postgres";
import { isDue, type Job } from "./schedule.ts";

/** The running half of the stand-ins. */
export interface StandIns {
  stop(): Promise<void>;
}

const POLL_MS = 100;
const AFTER_FAILURE_MS = 1_000;

/** Starts it; `superuserUrl` is for its own books, `jobUrl` the role that jobs run as. */
export function runStandIns(superuserUrl: string, jobUrl: string): StandIns {
  const stopping = new AbortController();
  const books = postgres(superuserUrl, { max: 2, onnotice: () => {} });
  const jobs = postgres(jobUrl, { max: 8, onnotice: () => {} });
  const loops = [
    untilAborted(stopping.signal, () => sendQueued(books, stopping.signal)),
    untilAborted(stopping.signal, jobStarter(books, jobs)),
    untilAborted(stopping.signal, () => forgetOldResponses(books), 60_000),
  ];
  return {
    async stop() {
      stopping.abort();
      await Promise.all([books.end({ timeout: 1 }), jobs.end({ timeout: 1 }), ...loops]);
    },
  };
}

async function untilAborted(signal: AbortSignal, step: () => Promise<void>, pause = POLL_MS) {
  while (!signal.aborted) {
    // The database may be starting again: whatever went wrong, the tables are still the truth.
    const wait = await step().then(() => pause, () => AFTER_FAILURE_MS);
    await delay(wait, { signal }).catch(() => {});
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
async function sendQueued(sql: Sql, stopping: AbortSignal): Promise<void> {
  const requests = await sql<QueuedRequest[]>`
    delete from net.http_request_queue
    where id in (select id from net.http_request_queue order by id limit 200)
    returning *`;
  await Promise.all(requests.map((request) => send(sql, request, stopping)));
}

async function send(sql: Sql, request: QueuedRequest, stopping: AbortSignal): Promise<void> {
  const timeout = AbortSignal.timeout(request.timeout_milliseconds);
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: Object.entries(request.headers).map(([name, value]) => [name, value ?? ""]),
      body: request.body,
      signal: AbortSignal.any([timeout, stopping]),
    });
    const content = await response.text();
    await sql`
      insert into net._http_response (id, status_code, content_type, headers, content, timed_out)
      values (
        ${request.id}, ${response.status}, ${response.headers.get("content-type")},
        ${sql.json(Object.fromEntries(response.headers))}, ${content}, false
      )`;
  } catch (error) {
    const reason = String((error as Error).cause ?? error);
    await sql`
      insert into net._http_response (id, timed_out, error_msg)
      values (${request.id}, ${timeout.aborted}, ${reason})`;
  }
}

async function forgetOldResponses(sql: Sql): Promise<void> {
  await sql`delete from net._http_response where created < now() - interval '6 hours'`;
}

// pg_cron --------------------------------------------------------------------------------------

/** Starts jobs that are due; one that still runs is not started again until it has ended. */
function jobStarter(books: Sql, jobs: Sql): () => Promise<void> {
  const lastStart = new Map<string, Date>();
  const running = new Set<string>();
  return async () => {
    const now = new Date();
    for (const job of await books<Job[]>`select * from cron.job where active`) {
      const last = lastStart.get(job.jobid);
      if (!last) lastStart.set(job.jobid, now);
      if (!last || running.has(job.jobid) || !isDue(job.schedule, last, now)) continue;
      lastStart.set(job.jobid, now);
      running.add(job.jobid);
      run(books, jobs, job).catch(() => {}).finally(() => running.delete(job.jobid));
    }
  };
}

async function run(books: Sql, jobs: Sql, job: Job): Promise<void> {
  const [{ runid }] = await books`
    insert into cron.job_run_details (jobid, database, username, command, status, start_time)
    values (${job.jobid}, ${job.database}, ${job.username}, ${job.command}, 'running', clock_timestamp())
    returning runid`;
  const [status, message] = await jobs.unsafe(job.command).then(
    (result) => ["succeeded", `${result.count ?? 0} rows`],
    (error) => ["failed", `ERROR:  ${error.message}`],
  );
  await books`
    update cron.job_run_details
    set status = ${status}, return_message = ${message}, end_time = clock_timestamp()
    where runid = ${runid}`;
}
