import type { Sql } from "postgres";
import { eventually } from "./eventually.ts";

/**
 * Starts `work` on a connection and returns once it waits for a lock somebody else holds; with
 * `orEnds`, also when it got to its end without. The promise is wrapped, since awaiting this must
 * not await the work.
 */
export async function startBlocked<T>(
  observer: Sql,
  connection: Sql,
  work: (connection: Sql) => PromiseLike<T>,
  { orEnds = false } = {},
): Promise<{ done: Promise<T> }> {
  const pid = await pidOf(connection);
  let ended = false;
  const done = Promise.resolve(work(connection)).finally(() => ended = true);
  done.catch(() => {}); // whoever awaits it hears of it
  await eventually("it waits for a lock", async () => {
    if (ended && orEnds) return true;
    if (ended) throw new Error("It was to wait for a lock, but it did not.");
    const [found] = await observer`
      select from pg_stat_activity where pid = ${pid} and wait_event_type = 'Lock'`;
    return found;
  });
  return { done };
}

/** The server process behind a connection, to be asked for while nothing runs on it. */
export async function pidOf(connection: Sql): Promise<number> {
  const [{ pid }] = await connection`select pg_backend_pid() as pid`;
  return pid;
}

/** Waits until one server process waits for another. */
export async function untilBlockedBy(observer: Sql, pid: number, blocker: number): Promise<void> {
  await eventually(`${pid} waits for ${blocker}`, async () => {
    const [{ waits }] = await observer`select ${blocker} = any (pg_blocking_pids(${pid})) as waits`;
    return waits;
  });
}
