import { number } from "../../numbers.ts";
import { age } from "../ages.ts";
import type { Check } from "../check.ts";
import { error, info, type Mend, ok, warning } from "../finding.ts";
import { literal } from "../sql_text.ts";

/** A queue of pg_net beyond this is more than a few seconds of its work. */
const LONG_QUEUE = 1_000;
/** After so long dispatch itself takes a call for lost. */
const LONGEST_WAIT_SECONDS = 30;
const RESTART_WORKER = { sql: "select net.worker_restart();" };

/** pg_net sends what it is given. */
export const pgNetSends: Check = {
  id: "pg_net_sends",
  needs: ["dibs", "pg_net"],
  async look(project) {
    const [{ queued, waited, hasWorker }] = await project.read((sql) =>
      sql<[{ queued: number; waited: number | null; hasWorker: boolean }]>`
        select
          (select count(*)::int from (select from net.http_request_queue limit ${
        LONG_QUEUE + 1
      }) q) as queued,
          (select extract(epoch from dibs.clock() - min(d.made_at))::float8 from dibs.dispatch d
            where d.state = 'sent' and d.http_request in (select id from net.http_request_queue)) as waited,
          not exists (select from pg_extension where extname = 'pg_net')
            -- Whoever may not see who else is connected sees no worker either.
            or not pg_has_role('pg_read_all_stats', 'usage')
            or exists (select from pg_stat_activity where backend_type like 'pg_net%' and datname = current_database())
            as "hasWorker"`
    );
    if (!hasWorker) {
      return error("The worker of pg_net has ended: nothing is sent.", RESTART_WORKER);
    }
    if (waited && waited > LONGEST_WAIT_SECONDS) {
      return error(`pg_net has not sent a call to dispatch for ${age(waited)}.`, RESTART_WORKER);
    }
    if (queued > LONG_QUEUE) {
      return warning(`More than ${number(LONG_QUEUE)} requests wait for pg_net.`, RESTART_WORKER);
    }
    return ok(`pg_net sends; ${queued} requests wait.`);
  },
};

/** Calls to dispatch get through. */
export const dispatchCalls: Check = {
  id: "dispatch_calls",
  needs: ["dibs"],
  async look(project) {
    const calls = await project.read((sql) =>
      sql<Call[]>`
        select state, problem from dibs.dispatch
        where made_at > dibs.clock() - interval '1 hour' and state <> 'sent' and (state <> 'planned' or problem <> '')
        order by id desc limit 1000`
    );
    const failed = calls.filter(({ state }) => state !== "answered");
    if (failed.length === 0) return ok("Every call to dispatch of the last hour was answered.");
    const some = `${failed.length} of ${calls.length} calls to dispatch failed in the last hour`;
    if (calls[0].state === "answered") return info(`${some}; the latest got through.`);
    const { state, problem } = calls[0];
    return warning(`${some}, the latest was ${outcomeOf(state)}: ${problem}.`, mendOf(calls[0]));
  },
};

interface Call {
  state: "planned" | "answered" | "refused" | "timed_out" | "lost";
  problem: string | null;
}

function outcomeOf(state: Call["state"]): string {
  return state === "planned" ? "not sent" : state.replace("_", " ");
}

function mendOf({ state, problem }: Call): Mend {
  if (state === "lost") return RESTART_WORKER;
  if (problem?.endsWith("404")) {
    return { command: "npx supabase functions deploy dispatch --use-api" };
  }
  return {
    by_hand: state === "planned"
      ? "See vault_url, vault_secret and pg_net above."
      : "See dispatch_secret and verify_jwt above; then the log: Dashboard → Edge Functions → dispatch → Logs.",
  };
}

/** Dispatch is called when there is work. */
export const dispatchRests: Check = {
  id: "dispatch_rests",
  needs: ["dibs"],
  async look(project) {
    const [{ failed, rests }] = await project.read((sql) =>
      sql`
        select dibs.failed_dispatches() as failed,
          extract(epoch from dibs.calls_rest_until() - dibs.clock())::float8 as rests`
    );
    if (failed < 3 || !(rests > 0)) return ok("Dispatch is called whenever there is work.");
    return error(
      `Since ${failed} calls in a row failed, dispatch is not called for ${age(rests)}.`,
      {
        command:
          'curl -s "$SUPABASE_URL/functions/v1/dispatch" -H "apikey: $SUPABASE_SECRET_KEY" ' +
          "--json '{}'",
      },
    );
  },
};

/** The month's calls are not used up. */
export const invocations: Check = {
  id: "invocations",
  needs: ["dibs"],
  async look(project) {
    const [{ used, left, most }] = await project.read((sql) =>
      sql`
        select dibs.invocations()::float8 as used, dibs.invocations_left()::float8 as left,
          (select max_invocations_per_month::float8 from dibs.settings) as most`
    );
    if (most === null) return ok(`${number(used)} function calls this month, without a limit.`);
    const says = `${number(used)} of ${number(most)} function calls of this month are used up`;
    const more = String(Math.max(2 * most, 2 * used, 1_000));
    const mend = {
      sql: `select dibs.configure('max_invocations_per_month', ${literal(more)});`,
    };
    if (left < 2) return error(`${says}: dispatch rests until the next one.`, mend);
    return left < most / 10 ? warning(`${says}.`, mend) : ok(`${says}.`);
  },
};
