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
    -- A sequence, since that is seen as it is also by transactions whose snapshot is older.
    create sequence test_clock.passed_microseconds minvalue 0 start 0;
    grant usage on schema test_clock to service_role;
    grant select on test_clock.passed_microseconds to service_role;
    create or replace function dibs.clock() returns timestamptz
      language plpgsql volatile set search_path = '' as $$
    begin
      return ${now} + (select last_value * interval '1 microsecond' from test_clock.passed_microseconds);
    end $$`);
  return {
    async advance(interval) {
      await sql`
        select setval('test_clock.passed_microseconds',
          last_value + (extract(epoch from ${interval}::interval) * 1000000)::bigint)
        from test_clock.passed_microseconds`;
    },
  };
}
