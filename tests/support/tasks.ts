import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase, type TestDatabase } from "./database.ts";
import { assertInvariants } from "./invariants.ts";

/** A task as it is granted to a worker. */
export interface GrantedTask {
  id: string;
  type: string;
  payload: unknown;
  attempt: number;
  max_attempts: number;
  fence: string;
  lease_expires_at: Date;
}

/** What a worker says came of a task. */
export interface Outcome {
  id: string;
  status: string;
  error?: string | null;
  result?: unknown;
  permanent?: boolean;
}

/** Runs a test on a fresh database, after which the tables of tasks must be sound. */
export function testTasks(name: string, test: (db: TestDatabase) => Promise<void>): void {
  Deno.test(name, async () => {
    await using db = await freshDatabase();
    await test(db);
    await assertInvariants(db.sql);
  });
}

/** Enqueues `count` tasks of one type in one call, numbered in their payloads; returns their ids. */
export async function enqueue(sql: Sql, type: string, count = 1, options = {}): Promise<string[]> {
  const tasks = Array.from({ length: count }, (_, n) => ({ type, payload: { n }, ...options }));
  const rows = await sql`select id from enqueue_tasks(${sql.json(tasks)})`;
  return rows.map(({ id }) => id);
}

/** Enqueues tasks one call each; returns their ids. */
export async function enqueueSingles(sql: Sql, type: string, count: number): Promise<string[]> {
  const rows = await sql`select create_task(${type}) as id from generate_series(1, ${count})`;
  return rows.map(({ id }) => id);
}

export async function claim(
  sql: Sql,
  { worker = "worker", types = null, limit = 1, seconds = 60, requestId = null }: {
    worker?: string;
    types?: string[] | null;
    limit?: number;
    seconds?: number;
    requestId?: string | null;
  } = {},
): Promise<GrantedTask[]> {
  return [
    ...await sql<GrantedTask[]>`
      select id, type, payload, attempt, max_attempts, fence, lease_expires_at
      from claim_tasks(${worker}, ${types}, ${limit}, ${seconds}, ${requestId})`,
  ];
}

export async function settle(
  sql: Sql,
  fence: string,
  outcomes: Outcome[] = [],
  rest: string | null = null,
  requestId: string | null = null,
): Promise<{ settled: number; lost: string[] }> {
  const [answer] = await sql`
    select * from settle_lease(${fence}, ${sql.json(outcomes as never)}, ${rest}, ${requestId})`;
  return { settled: answer.settled, lost: answer.lost };
}

export async function renew(
  sql: Sql,
  fence: string,
  seconds = 60,
  progress: unknown = null,
): Promise<string[]> {
  const rows = await sql`
    select id from renew_lease(${fence}, ${seconds}, ${sql.json(progress as never)}) id`;
  return rows.map(({ id }) => id);
}

/** The status of each of these tasks, in their order. */
export async function statuses(sql: Sql, ids: string[]): Promise<string[]> {
  const rows = await sql`select id, status from tasks where id = any (${ids})`;
  const byId = new Map(rows.map(({ id, status }) => [id, status]));
  return ids.map((id) => byId.get(id) ?? "gone");
}

/** Fails unless the call is refused with this SQLSTATE and a message that matches. */
export async function assertRefused(
  call: PromiseLike<unknown>,
  code: string,
  message: RegExp,
): Promise<void> {
  await assert.rejects(async () => await call, (error: { code: string; message: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

export const ids = (tasks: { id: string }[]): string[] => tasks.map(({ id }) => id);
