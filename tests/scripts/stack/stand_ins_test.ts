import assert from "node:assert/strict";
import { choosePort } from "../../../scripts/stack/ports.ts";
import { runStandIns } from "../../../scripts/stack/stand_ins.ts";
import { freshDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { muteAtFirst } from "../../support/mute_relay.ts";

/** A database with running stand-ins, and a server that remembers which paths were posted to. */
async function setUp() {
  await using parts = new AsyncDisposableStack();
  const db = parts.use(await freshDatabase({ migrated: false }));
  const standIns = runStandIns(db.adminUrl, db.url);
  parts.defer(() => standIns.stop());
  const posted: { url: string; headers: Headers; body: string }[] = [];
  const end = Promise.withResolvers<void>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      posted.push({ url: request.url, headers: request.headers, body: await request.text() });
      if (request.url.endsWith("/never")) await end.promise;
      return Response.json({ ok: true }, { status: 202 });
    },
  );
  parts.defer(() => server.shutdown());
  parts.defer(() => end.resolve());
  const url = `http://127.0.0.1:${server.addr.port}`;
  const wasPosted = (path: string) => posted.find((request) => request.url === url + path);
  const all = parts.move();
  return { db, url, wasPosted, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

Deno.test("a queued request is sent once its transaction has committed, not before", async () => {
  await using t = await setUp();
  await t.db.connect().begin(async (sql) => {
    await sql`select net.http_post(${t.url + "/mine"})`;
    await t.db.sql`select net.http_post(${t.url + "/other"})`;
    await eventually("the other request", () => t.wasPosted("/other"));
    assert.equal(t.wasPosted("/mine"), undefined);
  });
  await eventually("the committed request", () => t.wasPosted("/mine"));
});

Deno.test("a request whose transaction is rolled back is never sent", async () => {
  await using t = await setUp();
  await t.db.sql.begin(async (sql) => {
    await sql`select net.http_post(${t.url + "/mine"})`;
    throw new Error("changed my mind");
  }).catch(() => {});
  await t.db.sql`select net.http_post(${t.url + "/later"})`;
  await eventually("the later request", () => t.wasPosted("/later"));
  assert.equal(t.wasPosted("/mine"), undefined);
});

Deno.test("a request carries body, parameters and headers, and its response is kept", async () => {
  await using t = await setUp();
  const [{ id }] = await t.db.sql`
    select net.http_post(${
    t.url + "/full"
  }, '{"a": [1]}', '{"q": "x y&z"}', '{"x-own": "1"}') as id`;
  const sent = await eventually("the request", () => t.wasPosted("/full?q=x%20y%26z"));
  assert.deepEqual(JSON.parse(sent.body), { a: [1] });
  assert.equal(sent.headers.get("content-type"), "application/json");
  assert.equal(sent.headers.get("x-own"), "1");
  const response = await eventually("the response", async () => {
    const [row] = await t.db.sql`select * from net._http_response where id = ${id}`;
    return row;
  });
  assert.equal(response.status_code, 202);
  assert.equal(response.timed_out, false);
  assert.deepEqual(JSON.parse(response.content), { ok: true });
  assert.equal((await t.db.sql`select from net.http_request_queue`).length, 0);
});

Deno.test("a request that gets no answer in time, or nobody takes, says so", async () => {
  await using t = await setUp();
  await t.db.sql`select net.http_post(${t.url + "/never"}, timeout_milliseconds := 50)`;
  await t.db.sql`select net.http_post(${`http://127.0.0.1:${choosePort()}/`})`;
  const [late, refused] = await eventually("both responses", async () => {
    const rows = await t.db.sql`select * from net._http_response order by id`;
    return rows.length === 2 ? rows : null;
  });
  assert.equal(late.timed_out, true);
  assert.equal(refused.timed_out, false);
  assert.match(refused.error_msg, /refused/i);
});

Deno.test("an interval job runs again and again, as the role that scheduled it", async () => {
  await using t = await setUp();
  await t.db.sql`create table public.runs (role text)`;
  await t.db.sql`
    select cron.schedule('beat', '1 second', 'insert into public.runs select current_user')`;
  await eventually("two runs", async () => (await t.db.sql`select from public.runs`).length >= 2);
  const [{ role }] = await t.db.sql`select role from public.runs limit 1`;
  assert.equal(role, "postgres");
  const [details] = await t.db.sql`select * from cron.job_run_details order by runid limit 1`;
  assert.equal(details.status, "succeeded");
});

Deno.test("an interval job that still runs is not started a second time", async () => {
  await using t = await setUp();
  const holder = t.db.connect();
  await holder`select pg_advisory_lock(7)`;
  await t.db.sql`select cron.schedule('slow', '1 second', 'select pg_advisory_xact_lock(7)')`;
  await t.db.sql`select cron.schedule('beat', '1 second', 'select 1')`;
  const runsOf = async (name: string) => {
    const [{ runs }] = await t.db.sql`
      select count(*)::int as runs from cron.job_run_details
      join cron.job using (jobid) where jobname = ${name}`;
    return runs;
  };
  await eventually("three beats", async () => await runsOf("beat") >= 3);
  assert.equal(await runsOf("slow"), 1);
  await holder`select pg_advisory_unlock(7)`;
  await eventually("the slow job again", async () => await runsOf("slow") >= 2);
});

Deno.test("a job that fails is recorded with its error, and does not end the others", async () => {
  await using t = await setUp();
  await t.db.sql`select cron.schedule('bad', '1 second', 'select 1 / 0')`;
  const [run] = await eventually("two failures", async () => {
    const rows = await t.db.sql`select * from cron.job_run_details where status = 'failed'`;
    return rows.length >= 2 ? rows : null;
  });
  assert.match(run.return_message, /division by zero/);
});

Deno.test("a query that is never answered does not stop the jobs for good", async () => {
  await using db = await freshDatabase({ migrated: false });
  await db.sql`create table public.runs ()`;
  await db.sql`select cron.schedule('beat', '1 second', 'insert into public.runs default values')`;
  await using relay = muteAtFirst(new URL(db.adminUrl), 2);
  await using after = new AsyncDisposableStack();
  after.defer(runStandIns(relay.url, db.url).stop);
  await eventually("a run", async () => (await db.sql`select from public.runs`).length > 0, 30);
});

Deno.test("scheduling a name again changes its job; an unknown name cannot be unscheduled", async () => {
  await using db = await freshDatabase({ migrated: false });
  await db.sql`select cron.schedule('a', '5 seconds', 'select 1')`;
  await db.sql`select cron.schedule('a', '* * * * *', 'select 2')`;
  const jobs = await db.sql`select jobname, schedule, command, username from cron.job`;
  assert.deepEqual([...jobs], [
    { jobname: "a", schedule: "* * * * *", command: "select 2", username: "postgres" },
  ]);
  await db.sql`select cron.unschedule('a')`;
  await assert.rejects(db.sql`select cron.unschedule('a')`, /could not find valid entry for job/);
  await assert.rejects(db.sql`select cron.schedule('a', '60 seconds', '')`, /invalid schedule/);
});

Deno.test("a Vault secret is read decrypted by postgres and service_role, and by nobody else", async () => {
  await using db = await freshDatabase({ migrated: false });
  const [{ id }] = await db.sql`select vault.create_secret('old', 'name', 'why') as id`;
  await db.sql`select vault.update_secret(${id}, 'new')`;
  const read = "select decrypted_secret as secret from vault.decrypted_secrets where name = 'name'";
  assert.equal((await db.sql.unsafe(read))[0].secret, "new");
  assert.equal((await db.as("service_role").unsafe(read))[0].secret, "new");
  await assert.rejects(db.as("anon").unsafe(read), /permission denied/);
  await assert.rejects(
    db.as("authenticated")`select vault.create_secret('x')`,
    /permission denied/,
  );
});
