// What keeps PostgreSQL from cleaning up after the tables that change all the time.
import { count, number } from "../../numbers.ts";
import { age } from "../ages.ts";
import type { Check } from "../check.ts";
import { error, ok, warning } from "../finding.ts";
import { literal } from "../sql_text.ts";

const HOT_TABLES = `(values ('dibs.ready'), ('dibs.lease'), ('dibs.hint'), ('dibs.outcome'),
  ('public.thought_work_claims')) hot (name)`;

/** More rows than a minute leaves, after which autovacuum would have come. */
const MANY_DEAD_ROWS = 50_000;

/** No transaction is open for so long that what it may still see piles up. */
export const oldTransactions: Check = {
  id: "old_transactions",
  needs: ["dibs"],
  async look(project) {
    const open = await project.read((sql) =>
      sql`
        select pid, usename, state, extract(epoch from dibs.clock() - xact_start)::float8 as seconds,
          greatest(age(backend_xmin), age(backend_xid)) as held_back
        from pg_stat_activity
        where xact_start < dibs.clock() - interval '5 minutes' and pid <> pg_backend_pid()
          and backend_type in ('client backend', 'walsender') and (backend_xmin is not null or backend_xid is not null)
        order by xact_start`
    );
    if (open.length === 0) return ok("No transaction is open for long.");
    const [{ pid, usename, state, seconds, held_back }] = open;
    const says =
      `${count(open.length, "transaction")} open for long, the oldest for ${age(seconds)} ` +
      `(${usename}, ${state}): what ${
        number(held_back)
      } transactions since then left cannot be cleaned up.`;
    const mend = { sql: `select pg_terminate_backend(${pid});` };
    return seconds < 3_600 ? warning(says, mend) : error(says, mend);
  },
};

/** No transaction was prepared and then forgotten. */
export const preparedTransactions: Check = {
  id: "prepared_transactions",
  needs: ["dibs"],
  async look(project) {
    const prepared = await project.read((sql) =>
      sql`
        select gid, extract(epoch from dibs.clock() - prepared)::float8 as seconds from pg_prepared_xacts
        where database = current_database() and prepared < dibs.clock() - interval '5 minutes'
        order by prepared`
    );
    if (prepared.length === 0) return ok("No prepared transaction waits for long.");
    const [{ gid, seconds }] = prepared;
    return error(
      `${
        count(prepared.length, "prepared transaction")
      } neither committed nor rolled back, the oldest for ` +
        `${age(seconds)}: it keeps its locks and all that it may see.`,
      { sql: `rollback prepared ${literal(gid)};` },
    );
  },
};

/** No replication slot waits for somebody who does not come. */
export const replicationSlots: Check = {
  id: "replication_slots",
  needs: ["database"],
  async look(project) {
    const slots = await project.read((sql) =>
      sql`
        select slot_name, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) as kept
        from pg_replication_slots
        where not active and not temporary and restart_lsn is not null order by restart_lsn`
    );
    if (slots.length === 0) return ok("Every replication slot has a reader.");
    const [{ slot_name, kept }] = slots;
    return warning(
      `Nobody reads from ${
        count(slots.length, "replication slot")
      }; ${slot_name} keeps ${kept} of log, and old rows.`,
      { sql: `select pg_drop_replication_slot(${literal(slot_name)});` },
    );
  },
};

/** The tables that change all the time are not mostly dead rows. */
export const deadRows: Check = {
  id: "dead_rows",
  needs: ["dibs"],
  async look(project) {
    const bloated = await project.read((sql) =>
      sql`
        select hot.name, s.n_dead_tup::float8 as dead, s.n_live_tup::float8 as live
        from ${sql.unsafe(HOT_TABLES)} join pg_stat_all_tables s on s.relid = to_regclass(hot.name)
        where s.n_dead_tup > greatest(${MANY_DEAD_ROWS}, s.n_live_tup)
          and coalesce(greatest(s.last_vacuum, s.last_autovacuum), '-infinity') < dibs.clock() - interval '10 minutes'
        order by s.n_dead_tup desc`
    );
    if (bloated.length === 0) return ok("The tables that change all the time are cleaned up.");
    const told = bloated.map(({ name, dead, live }) =>
      `${name} (${number(dead)} dead rows, ${number(live)} live)`
    );
    return warning(`Not cleaned up: ${told.join(", ")}.`, {
      sql: `vacuum ${bloated.map(({ name }) => name).join(", ")};`,
    });
  },
};

/** Nobody has told autovacuum to leave out a table of Dibs. */
export const autovacuum: Check = {
  id: "autovacuum",
  needs: ["dibs"],
  async look(project) {
    const left = await project.read((sql) =>
      sql`
        select c.oid::regclass::text as name from pg_class c, unnest(c.reloptions) option
        where (c.relnamespace = 'dibs'::regnamespace or c.oid = to_regclass('public.thought_work_claims'))
          and option ~ '^autovacuum_enabled=(off|false|no|0)$'
        order by 1`
    );
    if (left.length === 0) return ok("Autovacuum leaves out no table.");
    const names = left.map(({ name }) => name);
    return warning(`Autovacuum is turned off for ${names.join(", ")}.`, {
      sql: names.map((name) => `alter table ${name} reset (autovacuum_enabled);`).join("\n"),
    });
  },
};
