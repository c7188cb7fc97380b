import type { Sql } from "postgres";
import { type TestClock, testClock } from "../../support/clock.ts";
import type { TestDatabase } from "../../support/database.ts";
import { Moments } from "./moments.ts";
import { MAX_LOSSES } from "./tasks/control.ts";

/** Where models of tasks take their walks. */
export interface Ground {
  sql: Sql;
  clock: TestClock;
  moments: Moments;
  /** As if nothing had ever happened. */
  clear(): Promise<void>;
}

/** Where many dead rows lie about, claims seldom look for leases that ran out. */
const WALKS_PER_VACUUM = 100;

/** `tables`: those of schema dibs into which something comes on a walk. */
export async function prepareGround(db: TestDatabase, tables: string[]): Promise<Ground> {
  const sql = db.connect();
  const clock = await testClock(sql, { stopped: true });
  const [{ beginning }] = await sql`select dibs.clock() as beginning`;
  await sql`update dibs.settings set max_losses = ${MAX_LOSSES} where true`;
  // That dispatch is called when something is enqueued is no part of the model.
  await sql`
    create or replace function dibs.wake(p_run_at timestamptz, p_types text[] default null)
      returns void language plpgsql as 'begin end'`;
  let walks = 0;
  return {
    sql,
    clock,
    moments: new Moments(beginning),
    async clear() {
      await sql.unsafe(`
        ${tables.map((table) => `delete from dibs.${table} where true;`).join(" ")}
        delete from dibs.lane where type <> '' or priority <> 0;
        select setval('test_clock.passed_microseconds', 0)`);
      if (walks++ % WALKS_PER_VACUUM > 0) return;
      await sql.unsafe(`vacuum ${[...tables, "lane"].map((table) => `dibs.${table}`)}`);
    },
  };
}
