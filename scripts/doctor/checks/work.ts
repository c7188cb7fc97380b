import { count, number } from "../../numbers.ts";
import { age } from "../ages.ts";
import type { Check } from "../check.ts";
import { error, ok, warning } from "../finding.ts";
import type { Project } from "../project.ts";
import { literal } from "../sql_text.ts";

/** What ticks would have been at it by then. */
const LONG_SECONDS = 300;

/** What dead workers held is taken back. */
export const expiredLeases: Check = {
  id: "expired_leases",
  needs: ["dibs"],
  async look(project) {
    const [{ tasks, thoughts }] = await project.read((sql) =>
      sql`
        select (
            select coalesce(sum(dibs.count_of(held)), 0)::float8 from dibs.lease
            where expires_at < dibs.clock() - interval '3 minutes') as tasks,
          (
            select count(*)::int from public.thought_work_claims
            where status = 'claimed' and ttl_expires_at < dibs.clock() - interval '3 minutes') as thoughts`
    );
    if (tasks + thoughts === 0) return ok("What leases that ran out held was taken back.");
    return error(
      `${count(tasks, "task")} and ${
        count(thoughts, "thought")
      } are held by leases that ran out minutes ago: ` +
        "nothing ticks.",
      { sql: "select dibs.tick();" },
    );
  },
};

/** Due tasks that functions have handlers for are taken by somebody. */
export const workWaits: Check = {
  id: "work_waits",
  needs: ["dibs"],
  async look(project) {
    const { due, oldest, workers } = await readBacklog(project);
    if (due === 0) return ok("No task waits.");
    if (oldest < LONG_SECONDS) return ok(`${count(due, "task")} due, none of them for long.`);
    if (workers > 0) return ok(`${count(due, "task")} due, and ${count(workers, "worker")} at it.`);
    return error(
      `${count(due, "task")} due, the oldest for ${
        age(oldest)
      }, and no worker at it: nothing dispatches.`,
      { sql: "select dibs.tick();" },
    );
  },
};

/** Drains are enough for the backlog. */
export const backlog: Check = {
  id: "backlog",
  needs: ["dibs"],
  async look(project) {
    const { due, oldest, workers, drains, max_drains, tasks_per_drain } = await readBacklog(
      project,
    );
    const isOver = due > max_drains * tasks_per_drain || drains >= max_drains;
    if (!isOver || oldest < LONG_SECONDS || workers === 0) {
      return ok(`Up to ${count(max_drains, "drain")} are enough.`);
    }
    const wanted = Math.max(2 * max_drains, Math.ceil(due / tasks_per_drain));
    return warning(
      `${count(due, "task")} due, the oldest for ${age(oldest)}: ${
        count(max_drains, "drain")
      } are not enough.`,
      { sql: `select dibs.configure('max_drains', ${literal(String(Math.min(wanted, 1_000)))});` },
    );
  },
};

/** Whatever is due, somebody has a handler for it. */
export const noHandler: Check = {
  id: "no_handler",
  needs: ["dibs"],
  async look(project) {
    const { orphans } = await readBacklog(project);
    if (orphans.length === 0) return ok("There is somebody for every type of task that is due.");
    const [{ type, due, oldest }, ...others] = orphans;
    const more = others.length > 0 ? `; ${count(others.length, "more type")}` : "";
    return warning(
      `No function has a handler for ${type}, and no worker is at it: ${
        number(due)
      } due, the oldest for ` +
        `${age(oldest)}${more}.`,
      {
        by_hand:
          `Deploy a handler for ${type}, start a worker that has one, or give up what waits: ` +
          `select count(*) from cancel_tasks(array(select id from tasks where type = ${
            literal(type)
          } and status = 'pending' limit 1000));`,
      },
    );
  },
};

/** Nothing waits for a person. */
export const parkedEffects: Check = {
  id: "parked_effects",
  needs: ["dibs"],
  async look(project) {
    const [{ parked, id, key, work_type }] = await project.read((sql) =>
      sql`
        select parked, e.id, e.key, e.work_type
        from (select count(*)::int as parked from dibs.effect_in_doubt) all_of_them
        left join lateral (select * from dibs.effect_in_doubt order by begun_at limit 1) e on true`
    );
    if (parked === 0) return ok("No effect is in doubt.");
    const of = work_type ? `, p_work_type => ${literal(work_type)}` : "";
    return warning(
      `${
        count(parked, "effect")
      } in doubt: somebody has to ask the other side whether it happened.`,
      { sql: `select settle_effect(${literal(id)}, ${literal(key)}, <true or false>${of});` },
    );
  },
};

interface Backlog {
  /** Of types that functions have handlers for. */
  due: number;
  oldest: number;
  /** How many are at such tasks now. */
  workers: number;
  /** How many drains there are now, at whatever. */
  drains: number;
  max_drains: number;
  tasks_per_drain: number;
  /** Types that are due for long, which no function and no worker is there for. */
  orphans: Due[];
}

interface Due {
  type: string;
  due: number;
  oldest: number;
  isHandled: boolean;
  hasWorker: boolean;
}

async function readBacklog(project: Project): Promise<Backlog> {
  const [{ types, ...rest }] = await project.read((sql) =>
    sql<
      [Pick<Backlog, "workers" | "drains" | "max_drains" | "tasks_per_drain"> & { types: Due[] }]
    >`
      -- The first task a worker holds says what it is at.
      with live as (
        select l.worker_id, t.type from dibs.lease l
        join dibs.log t on t.id >= dibs.id_of(lower(l.held)) and t.id < dibs.id_of(lower(l.held) + 1)
        where l.expires_at > dibs.clock()
      ),
      -- As the last plan was told; before the first one nobody knows.
      handled as (
        select types from dibs.dispatch where planned_at is not null and types is not null order by id desc limit 1
      ),
      due as (
        select type, sum(dibs.count_of(run))::float8 as due,
          extract(epoch from dibs.clock() - min(run_at))::float8 as oldest
        -- While everything is paused, nobody is to be at it.
        from dibs.ready where run_at <= dibs.clock() and not dibs.all_paused() group by type
      )
      select s.max_drains, s.tasks_per_drain,
        (select count(distinct worker_id)::int from live left join handled on true
          where coalesce(type = any (types), true)) as workers,
        (select count(distinct worker_id)::int from live where worker_id like 'drain-%') as drains,
        (
          select coalesce(jsonb_agg(jsonb_build_object('type', type, 'due', due, 'oldest', oldest,
            'isHandled', coalesce((select type = any (types) from handled), true),
            'hasWorker', type in (select type from live)) order by due desc), '[]')
          from due
        ) as types
      from dibs.settings s`
  );
  const handled = types.filter(({ isHandled }) => isHandled);
  return {
    ...rest,
    due: handled.reduce((sum, { due }) => sum + due, 0),
    oldest: Math.max(0, ...handled.map(({ oldest }) => oldest)),
    orphans: types.filter(({ isHandled, hasWorker, oldest }) =>
      !isHandled && !hasWorker && oldest >= LONG_SECONDS
    ),
  };
}
