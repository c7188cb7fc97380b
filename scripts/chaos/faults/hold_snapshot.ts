import { delay } from "@std/async/delay";
import type { Fault } from "../fault.ts";

/** Somebody keeps a transaction open, and nothing dead can be cleaned away meanwhile. */
export const holdSnapshot: Fault = {
  name: "hold_snapshot",
  weight: 1,
  async inject({ sql }, random) {
    const ms = random.between(4_000, 10_000);
    await sql.begin("isolation level repeatable read", async (transaction) => {
      await transaction`select count(*) from dibs.log`;
      await delay(ms);
    }).catch(() => {});
  },
};
