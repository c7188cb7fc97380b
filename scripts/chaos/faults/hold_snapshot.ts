import { delay } from "@std/async/delay";
import { connected } from "../connection.ts";
import type { Fault } from "../fault.ts";

const LONGEST_MS = 20_000;

/** Somebody keeps a transaction open, and nothing dead can be cleaned away meanwhile. */
export const holdSnapshot: Fault = {
  name: "hold_snapshot",
  percent: 2,
  async inject({ stack }, random) {
    const ms = random.between(4_000, 10_000);
    const hold = connected(
      stack.databaseUrl,
      (sql) =>
        sql.begin("isolation level repeatable read", async (sql) => {
          await sql`select count(*) from dibs.lease`;
          await delay(ms);
        }),
      LONGEST_MS,
    );
    await hold.catch(() => {});
  },
};
