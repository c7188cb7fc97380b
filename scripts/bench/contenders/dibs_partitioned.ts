import { migrate } from "../../stack/migrate.ts";
import type { Contender } from "../contender.ts";
import { dibs } from "./dibs.ts";

/** A week of days, each a partition in each of the two ranges of numbers, and tomorrow's. */
const DAYS = 8;
/** So many numbers a day: nothing of what a cell enqueues falls into another one. */
const NUMBERS = 1_000_000_000;
const FIRST_PAGE = 2 ** 46;

/**
 * Dibs with its log and its outcomes as partitioned tables: the log by id, which is by number, since
 * its key is what everybody looks tasks up by; outcomes by the day on which they ended.
 */
export const dibsPartitioned: Contender = {
  ...dibs,
  name: "dibs_partitioned",
  async install(database) {
    const sql = database.connect();
    // The migrations leave alone what is there.
    await sql.unsafe(`
      create schema dibs;
      create table dibs.log (
        id uuid primary key, run_at timestamptz not null, created_at timestamptz not null default now(),
        priority smallint not null default 0, max_attempts smallint not null default 5, type text not null,
        payload jsonb not null default '{}', unique_key text
      ) partition by range (id);
      create table dibs.outcome (
        run int8multirange not null, started_at timestamptz, completed_at timestamptz not null, fence bigint,
        status text not null, worker_id text, type text not null default ''
      ) partition by range (completed_at);
      do $$
      declare
        id_of text := $f$encode(int8send(%s << 16) || '\\x0000000000000000', 'hex')::uuid$f$;
        lower_id uuid;
        upper_id uuid;
      begin
        for day in 0..${DAYS - 1} loop
          for nth in 0..1 loop
            execute 'select ' || format(id_of, '(' || nth * ${FIRST_PAGE} + day::bigint * ${NUMBERS} || ')::bigint') into lower_id;
            execute 'select ' || format(id_of, '(' || nth * ${FIRST_PAGE} + (day + 1)::bigint * ${NUMBERS} || ')::bigint') into upper_id;
            execute format('create table dibs.log_%s_%s partition of dibs.log for values from (%L) to (%L)',
              nth, day, lower_id, upper_id);
          end loop;
          execute format('create table dibs.outcome_%s partition of dibs.outcome for values from (%L) to (%L)',
            day, current_date + day - ${DAYS - 2}, current_date + day - ${DAYS - 3});
        end loop;
      end $$`);
    await migrate(database.url);
  },
};
