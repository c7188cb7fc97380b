import type { Sql } from "postgres";

/** The clock of one test database. Time goes on as usual, but it can also be made to jump. */
export interface TestClock {
  /** Lets so much time pass at once, for every connection, e.g. `"20 s"`. */
  advance(interval: string): Promise<void>;
}

/**
 * Puts a clock that can jump in the place of `dibs.clock()`, so that no test waits for a lease to end.
 * A stopped one does nothing but jump: what is new stays new.
 */
export async function testClock(sql: Sql, { stopped = false } = {}): Promise<TestClock> {
  const now = stopped ? `timestamptz '${new Date().toISOString()}'` : "clock_timestamp()";
  await sql.unsafe(`
    create schema test_clock;
    create table test_clock.passed (passed interval not null);
    insert into test_clock.passed values ('0 s');
    grant usage on schema test_clock to service_role;
    grant select on test_clock.passed to service_role;
    create or replace function dibs.clock() returns timestamptz
      language plpgsql volatile set search_path = '' as $$
    begin
      return ${now} + (select passed from test_clock.passed);
    end $$`);
  return {
    async advance(interval) {
      await sql`update test_clock.passed set passed = passed + ${interval}::interval where true`;
    },
  };
}
