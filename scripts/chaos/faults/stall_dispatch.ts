import { delay } from "@std/async/delay";
import { retry } from "@std/async/retry";
import type { Sql } from "postgres";
import { connected } from "../connection.ts";
import type { Fault } from "../fault.ts";

const TICKS = 12;
const CALL_MS = 10_000;
/** Two may stall it at once, and then the second finds no job. */
const UNSCHEDULE = `
  do $$ begin
    perform cron.unschedule('dibs-tick');
  exception when raise_exception then null;
  end $$`;

/** The schedule stands still for a while; then all the ticks it owes come at once. */
export const stallDispatch: Fault = {
  name: "stall_dispatch",
  percent: 2,
  async inject({ stack }, random) {
    const call = (work: (sql: Sql) => PromiseLike<unknown>) =>
      connected(stack.databaseUrl, work, CALL_MS);
    await call((sql) => sql.unsafe(UNSCHEDULE)).catch(() => {});
    await delay(random.between(2_000, 8_000));
    const ticks = Array.from({ length: TICKS }, () => call((sql) => sql`select dibs.tick()`));
    await Promise.allSettled(ticks);
    await retry(
      () =>
        call((sql) => sql`select cron.schedule('dibs-tick', '5 seconds', 'select dibs.tick()')`),
      {},
    );
  },
};
