// The dashboard's server, without a browser: who may ask what, what is done, and what never leaves.
import assert from "node:assert/strict";
import postgres, { type Sql } from "postgres";
import { ACTIONS } from "../../../scripts/dashboard/actions.ts";
import { READS } from "../../../scripts/dashboard/reads.ts";
import type { DashboardOptions } from "../../../scripts/dashboard/server.ts";
import { asker, HOST, tokenOf } from "../../support/dashboard.ts";
import { testStack } from "../../support/stack.ts";

const SAME_ORIGIN = { origin: `http://${HOST}`, "sec-fetch-site": "same-origin" };

Deno.test("the dashboard's server", async (t) => {
  await using stack = await testStack();
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using parts = new AsyncDisposableStack();
  parts.defer(() => sql.end());
  const ask = asker(stack);

  await t.step("answers a page of its own, by each name of this machine", async () => {
    for (const host of [HOST, "localhost:54380", "localhost", "[::1]:54380", "LOCALHOST:1"]) {
      const response = await ask("GET", "api/workers", { headers: { host } });
      assert.equal(response.status, 200, host);
    }
  });

  await t.step("answers nobody who came by another name, whatever it looks like", async () => {
    for (
      const host of [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:54380",
        "evil-localhost",
        "127.0.0.1@evil.example",
        "",
      ]
    ) {
      for (const path of ["", "assets/main.js", "api/workers"]) {
        assert.equal((await ask("GET", path, { headers: { host } })).status, 403, host);
      }
    }
    const named = asker(stack, { names: ["tunnel.example"] });
    const headers = { host: "tunnel.example:8080" };
    assert.equal((await named("GET", "api/workers", { headers })).status, 200);
  });

  await t.step("answers no page of another origin or site", async () => {
    const others: Record<string, string>[] = [
      { origin: "http://evil.example" },
      { origin: "null" },
      { origin: "http://127.0.0.1:3000" },
      { origin: "http://localhost:54380" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" },
    ];
    const token = await tokenOf(ask);
    for (const headers of others) {
      assert.equal((await ask("GET", "api/workers", { headers })).status, 403);
      const sent = { ...headers, "x-dibs-token": token };
      const body = { name: "none" };
      assert.equal((await ask("POST", "api/pause_schedule", { headers: sent, body })).status, 403);
    }
  });

  await t.step("opens for whoever follows a link to it", async () => {
    const headers = {
      "sec-fetch-site": "cross-site",
      "sec-fetch-mode": "navigate",
      "sec-fetch-dest": "document",
    };
    assert.equal((await ask("GET", "", { headers })).status, 200);
  });

  await t.step("acts only by POST and with the token of its page", async () => {
    const token = await tokenOf(ask);
    const body = { name: "none" };
    const post = (headers: Record<string, string>) =>
      ask("POST", "api/pause_schedule", { headers: { ...SAME_ORIGIN, ...headers }, body });
    assert.equal((await post({ "x-dibs-token": token })).status, 200);
    assert.equal((await post({})).status, 403);
    assert.equal((await post({ "x-dibs-token": token.replace(/./g, "0") })).status, 403);
    assert.equal((await post({ "x-dibs-token": await tokenOf(asker(stack)) })).status, 403);
    for (const name of Object.keys(ACTIONS)) {
      assert.equal((await ask("GET", `api/${name}`)).status, 404, name);
    }
  });

  await t.step("knows its reads and actions, and nothing else", async () => {
    const token = { "x-dibs-token": await tokenOf(ask) };
    for (const name of ["prune_tasks", "constructor", "__proto__", "toString", "", "overview/x"]) {
      assert.equal((await ask("GET", `api/${name}`)).status, 404, name);
      const response = await ask("POST", `api/${name}`, { headers: token, body: {} });
      assert.equal(response.status, 404, name);
    }
    for (const path of ["assets/../server.ts", "assets/", "assets/constructor", "rest/v1/tasks"]) {
      assert.equal((await ask("GET", path)).status, 404, path);
    }
  });

  await t.step("lets no page of its own load or run anything from elsewhere", async () => {
    for (const path of ["", "assets/main.js", "assets/main.css", "api/workers", "api/none"]) {
      const { headers } = await ask("GET", path);
      const policy = headers.get("content-security-policy")!;
      assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self';/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.doesNotMatch(policy, /unsafe|\*|http|data:/);
      assert.equal(headers.get("cache-control"), "no-store");
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(headers.get("access-control-allow-origin"), null);
    }
    const page = await (await ask("GET", "")).text();
    assert.doesNotMatch(page, /<script(?![^>]* src=)|style=|\son\w+=/);
  });

  await t.step("says nothing with the secret key or the database's password in it", async () => {
    const { secretKey, databaseUrl } = stack;
    const password = new URL(databaseUrl).password;
    const text = `key ${secretKey} password ${password}`;
    const [{ id }] = await sql`
      select create_task('leaky', ${sql.json({ [text]: [text] })}, p_max_attempts => 1) as id`;
    await sql`
      select settle_lease((select fence from claim_tasks(${text}, '{leaky}')),
        ${sql.json([{ id, status: "failed", error: text }])})`;
    await sql`select claim_tasks(${text}, ${[await makeTask(sql, text)]})`;
    await sql`select put_schedule(${text.slice(0, 100)}, '0 0 1 1 *', 'leaky', ${
      sql.json({ text })
    })`;
    await sql`select pause_tasks('leaky', ${text})`;
    const paths = ["", "assets/main.js", "assets/main.css", "assets/icon.svg"];
    for (const name of Object.keys(READS)) {
      paths.push(`api/${name}?id=${id}&source=thoughts&work_type=x`);
    }
    let isMasked = false;
    for (const path of paths) {
      const answer = await ask("GET", path);
      assert.equal(answer.status, 200, `${path}: ${answer.status}`);
      const said = JSON.stringify([...answer.headers]) + await answer.text();
      assert(!said.includes(secretKey), `${path} has the key`);
      assert(!said.includes(password), `${path} has the password`);
      isMasked ||= said.includes("key [secret] password [secret]");
    }
    assert(isMasked, "the canary was nowhere");
    await sql`select resume_tasks('leaky', ${text})`;
  });

  await t.step(
    "tells what the database refuses, with its mend, and nothing of its inside",
    async () => {
      const refused = await ask("POST", "api/redrive_tasks", {
        headers: { "x-dibs-token": await tokenOf(ask) },
        body: { filter: { colour: "red" }, dry_run: true },
      });
      assert.equal(refused.status, 400);
      assert.match((await refused.json()).message, /colour/);
      const malformed = await ask("GET", "api/tasks?filter=%7B");
      assert.deepEqual(await malformed.json(), {
        code: "bad_request",
        message: "filter: Give a JSON object.",
      });
      const gone = asker({ ...stack, url: "http://127.0.0.1:9" });
      const answer = await gone("GET", "api/workers");
      assert.equal(answer.status, 503);
      assert.doesNotMatch(await answer.text(), /sb_secret|at .*\.ts/);
    },
  );

  await t.step(
    "tells of all statistics, of which the data API gives so many at a time",
    async () => {
      await sql`
      insert into dibs.statistic
      select 'hour', date_bin('1 hour', now(), 'epoch') - n * interval '2 hours', 'busy_' || k,
        1, 0, 0, 0, 0, 0, 0, 0, '{}', '{}'
      from generate_series(1, 80) n, generate_series(1, 30) k`;
      const rows: { at: string; type: string }[] =
        await (await ask("GET", "api/statistics?range=7d"))
          .json();
      const busy = rows.filter(({ type }) => type.startsWith("busy_"));
      assert.equal(busy.length, 2_400);
      assert.equal(new Set(busy.map(({ at, type }) => `${at} ${type}`)).size, 2_400);
      await sql`delete from dibs.statistic where type like 'busy\\_%'`;
      const other = await ask("GET", "api/statistics?range=1y");
      assert.equal(other.status, 400);
      await other.body?.cancel();
    },
  );

  await t.step("hides what it is told to, by field or all", async () => {
    const payload = { email: "ada@example.com", deep: [{ Email: "b@example.com", n: 1 }] };
    const [{ id }] = await sql`select create_task('letter', ${sql.json(payload)}) as id`;
    const payloadBy = async (redaction: DashboardOptions["redaction"]) =>
      (await (await asker(stack, { redaction })("GET", `api/task?id=${id}`)).json()).task.payload;
    assert.deepEqual(await payloadBy([]), payload);
    assert.deepEqual(await payloadBy(["email"]), {
      email: "[redacted]",
      deep: [{ Email: "[redacted]", n: 1 }],
    });
    assert.equal(await payloadBy("all"), "[redacted]");
  });
});

/** A type of its own, with one task of it. */
async function makeTask(sql: Sql, text: string): Promise<string> {
  const type = text.slice(0, 100);
  await sql`select create_task(${type})`;
  return type;
}
