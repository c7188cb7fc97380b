import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../support/database.ts";
import { claim, claimNamed, claimNext, makeThoughts, renew, settle } from "../support/thoughts.ts";

const CONNECTIONS = 64;
const SECONDS = 20;

// The one test that is not forced but random: what nobody thought of to force.
Deno.test("64 workers after the same thoughts never deadlock nor hold one twice", async () => {
  await using db = await freshDatabase();
  await recordHistory(db.sql);
  const ids = await makeThoughts(db.sql, 200);
  const workers = Array.from({ length: CONNECTIONS }, () => db.as("service_role"));
  const end = Date.now() + SECONDS * 1_000;
  await Promise.all(workers.map((sql, n) => hammer(sql, `worker ${n}`, ids, end, n % 8 === 0)));
  await Promise.all(workers.map((sql) => sql.end()));

  const [{ deadlocks }] = await db.sql`
    select deadlocks::int from pg_stat_database where datname = current_database()`;
  assert.equal(deadlocks, 0);
  const [{ grants, stolen }] = await db.sql`
    select count(*)::int as grants, count(*) filter (where attempt > 1)::int as stolen from history
    where event = 'granted'`;
  assert.ok(grants > 1_000, `only ${grants} grants`);
  assert.ok(stolen > 0, "no lease ran out");
  assert.deepEqual([...await db.sql.unsafe(OVERLAPS)], []);
});

/** Claims at random, and hands back, or keeps everything until it expires. */
async function hammer(
  sql: Sql,
  worker: string,
  ids: string[],
  end: number,
  keeps: boolean,
): Promise<void> {
  while (Date.now() < end) {
    const some = ids.toSorted(() => Math.random() - 0.5).slice(0, 1 + Math.random() * 60);
    const dice = Math.random() * (keeps ? 0.5 : 1);
    if (dice < 0.5) {
      await claim(sql, some, { worker, seconds: 1 });
    } else if (dice < 0.7) {
      const [granted] = dice < 0.6
        ? await claimNamed(sql, some, { worker, seconds: 1, maxAttempts: 1_000 })
        : await claimNext(sql, 10, { worker, seconds: 1, maxAttempts: 1_000 });
      if (granted && dice < 0.55) await renew(sql, granted.fence, 1);
      if (granted && dice > 0.58) await settle(sql, granted.fence, [], "released");
    } else {
      await sql`select release_claims_for_worker('enrichment', ${worker})`;
    }
  }
}

/** Writes down what happens to claims, in the transactions in which it happens. */
async function recordHistory(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create table history (
      n bigint generated always as identity, thought_id uuid, event text, fence bigint, attempt int,
      at timestamptz, expires_at timestamptz);
    create function record_history() returns trigger language plpgsql security definer as $$
    begin
      insert into public.history (thought_id, event, fence, attempt, at, expires_at)
      select coalesce(new.thought_id, old.thought_id),
        case when tg_op = 'DELETE' then 'ended'
          when tg_op = 'INSERT' or new.fence <> old.fence then 'granted' else 'renewed' end,
        coalesce(new.fence, old.fence), coalesce(new.attempt_count, old.attempt_count),
        case when tg_op = 'DELETE' then clock_timestamp() else new.claimed_at end, new.ttl_expires_at;
      return null;
    end $$;
    create trigger record_history after insert or update or delete on public.thought_work_claims
      for each row execute function record_history()`);
}

/** Grants that began before the grant before them had run out or been ended. */
const OVERLAPS = `
with lease as (
  select thought_id, fence, min(at) filter (where event = 'granted') as began_at,
    least(
      max(expires_at) filter (where event in ('granted', 'renewed')),
      min(at) filter (where event = 'ended')) as ended_at
  from history group by thought_id, fence
)
select * from (
  select *, lag(ended_at) over one as previous_ended_at, lag(fence) over one as previous_fence
  from lease window one as (partition by thought_id order by began_at, fence)
) following
where began_at < previous_ended_at or fence < previous_fence`;
