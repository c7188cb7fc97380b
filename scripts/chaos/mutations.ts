import type { Fault } from "./fault.ts";
import { freezeWorker } from "./faults/freeze_worker.ts";
import { killWorker } from "./faults/kill_worker.ts";
import { stopPostgres } from "./faults/stop_postgres.ts";

/** A bug to be planted in the migrations, so that one sees the verdict turn red. */
export interface Mutation {
  says: string;
  /** What becomes what, each found once in all the migrations. */
  replace: [from: string, to: string][];
  /** What brings it out. */
  kinds: Fault[];
  faults: number;
  /** With how much work, where it takes longer to show. */
  size?: { tasks?: number; thoughts?: number };
}

const CRASHES = { kinds: [stopPostgres], faults: 5 };
/** It takes a careless worker that comes too late, and most are not. */
const FREEZES = { kinds: [freezeWorker], faults: 12, size: { tasks: 6_000, thoughts: 2_000 } };
const KILLS = { kinds: [killWorker], faults: 6 };
/** Only rivals for the same thoughts bring it out, and only now and then. */
const CONTESTS = { ...KILLS, size: { tasks: 8_000 } };

export const MUTATIONS: Record<string, Mutation> = {
  settle_tasks_without_fence: {
    says: "whoever names a task settles it, wherever it is and whoever holds it",
    replace: [[
      "    v_settled := '{}';\n  end if;\n  v_failed :=",
      "    v_settled := dibs.withdraw(v_named);\n  end if;\n  v_failed :=",
    ]],
    ...FREEZES,
  },
  settle_thoughts_without_fence: {
    says: "whoever names a thought settles it, whoever holds it",
    replace: [
      [
        "if exists (select from public.thought_work_claims where fence = v_fence) then",
        "if exists (select from jsonb_array_elements(p_outcomes) o, public.thoughts t where t.id::text = o ->> 'id') then",
      ],
      [
        "      and c.fence + 0 = p_fence and c.status || '' = 'claimed' and o.status <> 'released'\n    returning",
        "      and c.status || '' = 'claimed' and o.status <> 'released'\n    returning",
      ],
    ],
    ...FREEZES,
  },
  reap_the_living: {
    says: "leases are taken back before they have run out",
    replace: [["where l.expires_at < v_now order by", "where true order by"]],
    ...KILLS,
  },
  claim_without_deleting: {
    says: "what is claimed is locked, and stays among what waits",
    replace: [["  delete from dibs.ready where ctid = any (v_at);\nend $$;", "end $$;"]],
    ...KILLS,
  },
  claim_more_than_asked: {
    says: "the limit is forgotten where a claim takes what it found",
    replace: [
      ["  if count > p_limit then", "  if false then"],
      ["  while count > p_wanted loop", "  while false loop"],
      ["exit when v_wanted = 0;\n      end loop;", "exit when v_wanted <= 0;\n      end loop;"],
      ["exit when v_wanted = 0;\n    end loop;", "exit when v_wanted <= 0;\n    end loop;"],
    ],
    ...KILLS,
  },
  clock_of_the_transaction: {
    says: "time stands still while a transaction waits",
    replace: [["  return clock_timestamp();", "  return now();"]],
    ...CONTESTS,
  },
  clock_read_before_the_lock: {
    says: "a claim begins at a moment that was read before the one it follows had ended",
    replace: [[
      "(select dibs.clock() as now offset 0) clock",
      "(select statement_timestamp() as now) clock",
    ]],
    ...CONTESTS,
  },
  claim_in_any_order: {
    says: "claims wait for each other, in the order in which ids come",
    replace: [
      [" where pg_try_advisory_xact_lock({hash}(id, v_seed))", ""],
      ["  order by wanted.id\n  -- Clients", "  order by random()\n  -- Clients"],
    ],
    ...CONTESTS,
  },
  claim_without_looking: {
    says: "nobody looks whether the thoughts that are claimed exist",
    replace: [[
      "lateral (select from {table} t where t.{key} = wanted.id for key share skip locked offset 0) t{wanted});",
      "lateral (select) t{wanted});",
    ]],
    ...KILLS,
  },
  commit_without_flush: {
    says: "commits are acknowledged before they are on disk",
    replace: [[
      "  return clock_timestamp();",
      "  perform set_config('synchronous_commit', 'off', true);\n  return clock_timestamp();",
    ]],
    ...CRASHES,
  },
  lease_unlogged: {
    says: "leases do not outlive a crash",
    replace: [[
      "create table if not exists dibs.lease (",
      "create unlogged table if not exists dibs.lease (",
    ]],
    ...CRASHES,
  },
  lease_deleted_before_its_outcome: {
    says: "a lease is deleted at once, and its outcome written by a later call, from a buffer",
    replace: [
      [
        "      ('dibs.settings', 'select, update'),",
        "      ('dibs.settings', 'select, update'), ('dibs.unwritten', 'select, insert, delete'),",
      ],
      [
        "create or replace function dibs.complete_lease(",
        "create unlogged table if not exists dibs.unwritten (lease dibs.lease);\n" +
        "create or replace function dibs.complete_lease(",
      ],
      [
        "  if v_lease.plain and lower(v_lease.held) >> 7",
        "  if true then insert into dibs.unwritten values (v_lease);\n" +
        "  elsif v_lease.plain and lower(v_lease.held) >> 7",
      ],
      [
        "  v_reaped int := 0;\nbegin\n  for v_lease in\n    delete from dibs.lease",
        "  v_reaped int := 0;\nbegin\n" +
        "  for v_lease in delete from dibs.unwritten u returning (u.lease).* loop\n" +
        "    perform dibs.end_tasks(v_lease.held, 'completed', v_lease, v_now);\n  end loop;\n" +
        "  for v_lease in\n    delete from dibs.lease",
      ],
    ],
    ...CRASHES,
  },
  hint_past_the_uncommitted: {
    says: "nobody looks for work behind what was seen before, where late transactions commit",
    replace: [
      ["(case when l.sweep_if_empty_at <= v_now then timestamptz '-infinity' end, 0)", "(null, 0)"],
      ["      if v_sweep then v_lane.begin_run_at := '-infinity'; end if;\n", ""],
    ],
    ...KILLS,
  },
  limit_off_by_one: {
    says: "a claim takes the free place of a limit though another one is about to take it",
    replace: [
      [
        "limit greatest(p_wanted, 0) for update skip locked);",
        "limit greatest(p_wanted, 0));",
      ],
      // Claims that begin with a key each seldom meet.
      ["if keys <> '{}' or p_look is null or", "if true or"],
    ],
    ...KILLS,
  },
  order_key_lets_two_run: {
    says: "of an order key the first that waits is granted, whoever runs",
    replace: [
      [
        "select o.task from dibs.in_order o where o.type = p_type and o.order_key = p_order_key order by o.task limit 1);",
        "select lower(g.run) from dibs.gated g where g.type = p_type and g.order_key = p_order_key order by 1 limit 1);",
      ],
      ["  if slot is null then return; end if;\n", ""],
      // Whose turn it is knows as well who runs.
      [
        "select o.task from dibs.in_order o\n          where o.type = p_type and o.order_key = l.order_key order by o.task limit 1",
        "select lower(g.run) as task from dibs.gated g\n          where g.type = p_type and g.order_key = l.order_key order by 1 limit 1",
      ],
      ["s.order_key = l.order_key) is null", "s.order_key = l.order_key and false) is null"],
    ],
    ...KILLS,
  },
  one_attempt_too_many: {
    says: "a task is tried once more than it may be",
    replace: [[
      "coalesce(h.failures, 0) + 1 >= l.max_attempts",
      "coalesce(h.failures, 0) + 1 > l.max_attempts",
    ]],
    ...KILLS,
  },
  effects_by_attempt: {
    says:
      "an effect is known by the grant under which it is done, so that the next one does it again",
    replace: [
      [
        "  perform dibs.check_label('p_key', p_key, 200), dibs.check_between('p_key_hours'",
        "  p_key := p_key || p_fence;\n  perform dibs.check_label('p_key', p_key, 200), dibs.check_between('p_key_hours'",
      ],
      [
        "  v_effect dibs.effect;\nbegin\n  -- Not fenced",
        "  v_effect dibs.effect;\nbegin\n  p_key := p_key || p_fence;\n  -- Not fenced",
      ],
    ],
    kinds: [killWorker],
    faults: 20,
  },
  doors_left_open: {
    says: "whoever may call functions by default may call these",
    replace: [[
      "'revoke all on function %s from public, anon, authenticated, service_role cascade'",
      "'revoke all on function %s from anon, authenticated, service_role cascade'",
    ]],
    ...KILLS,
  },
};
