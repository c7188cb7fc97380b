import assert from "node:assert/strict";
import postgres from "postgres";
import { testClock } from "../support/clock.ts";
import { eventually } from "../support/eventually.ts";
import { testStack } from "../support/stack.ts";

Deno.test("while pg_net sends nothing status says so, and once it does all that was enqueued completes", async () => {
  await using stack = await testStack();
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  const admin = postgres(stack.adminDatabaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = {
    [Symbol.asyncDispose]: () => Promise.all([sql.end(), admin.end()]).then(() => {}),
  };
  const clock = await testClock(sql);
  const lastDispatch = async () => {
    const [{ last }] = await sql`select dibs_status() -> 'dispatches' -> 0 as last`;
    return last as { state: string; problem: string | null } | null;
  };

  // Its worker takes requests as the superuser; whoever else deletes from the queue is not hindered.
  await admin.unsafe(`
    create function net.keep() returns trigger language plpgsql as $$ begin return null; end $$;
    create trigger keep before delete on net.http_request_queue for each row
      when (current_user = 'supabase_admin') execute function net.keep()`);
  await sql`select enqueue_tasks(${sql.json([1, 2, 3].map(carePlan))})`;
  assert.equal((await lastDispatch())?.state, "sent");
  await clock.advance("31 s");
  await eventually("its loss, seen by a tick", async () => {
    const rows = await sql`select problem from dibs.dispatch where state = 'lost'`;
    return rows.some(({ problem }) => /worker seems to have ended/.test(problem));
  }, 20);

  await admin`drop function net.keep() cascade`;
  await eventually("their completion", async () => {
    const [{ completed }] = await sql`
      select count(*)::int as completed from public.tasks where status = 'completed'`;
    return completed === 3;
  }, 30);
  await eventually(
    "the answer to the last call",
    async () => (await lastDispatch())?.state === "answered",
    10,
  );
});

function carePlan(n: number) {
  return {
    type: "generate_care_plan",
    payload: {
      email: `lost${n}@example.org`,
      transcript: "I walk.",
      session_id: "s",
      blueprint_id: "b",
      host_url: "https://care.example.org",
    },
  };
}
