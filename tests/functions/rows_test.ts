// Rows of a source over HTTP, and in the worker's loop.
import assert from "node:assert/strict";
import postgres, { type Sql } from "postgres";
import { defineRowWork, registryOf } from "../../functions/_shared/handler.ts";
import type { Log } from "../../functions/_shared/log.ts";
import { remoteRpc } from "../../functions/_shared/rpc.ts";
import { RowsGrant } from "../../functions/_shared/schemas.ts";
import { runWorker } from "../../functions/_shared/worker.ts";
import { chooseWork } from "../../functions/_shared/worker/choose.ts";
import { post } from "../support/endpoints.ts";
import { sharedStack } from "../support/stack.ts";

/** A source of this test's own in the shared stack, with bigint keys from 9007199254740993 on. */
async function withSource(use: (source: string, sql: Sql) => Promise<void>): Promise<void> {
  const sql = postgres(sharedStack().databaseUrl, { max: 1, onnotice: () => {} });
  const source = `rows_test_${crypto.randomUUID().slice(0, 8)}`;
  try {
    await sql.unsafe(`
      create table public.${source} (
        id bigint generated always as identity (start 9007199254740993) primary key,
        body text, version int not null default 1);
      insert into public.${source} (body) select 'body ' || n from generate_series(1, 6) n;
      select dibs.create_claim_source('${source}', 'public.${source}', p_version => 'version',
        p_columns => array['body'])`);
    await use(source, sql);
    await sql.unsafe(`select dibs.drop_claim_source('${source}'); drop table public.${source}`);
  } finally {
    await sql.end();
  }
}

const KEYS = [3, 4, 5, 6, 7, 8].map((n) => `900719925474099${n}`);
const CLAIM = { work_type: "index", worker_id: "w" };

Deno.test("rows are claimed, renewed and released by any client", () =>
  withSource(async (source, sql) => {
    const stack = sharedStack();
    const { status, json } = await post(stack, "claim", {
      source,
      ...CLAIM,
      ids: KEYS.slice(0, 2),
    });
    assert.equal(status, 200);
    const grant = RowsGrant.parse(json);
    assert.match(grant.fence!, new RegExp(`^${source}:[0-9]+$`));
    assert.deepEqual(grant.rows[0], {
      id: KEYS[0],
      attempt: 1,
      version: "1",
      row: { body: "body 1" },
    });
    const renewed = await post(stack, "renew", { fence: grant.fence, lease_seconds: 60 });
    assert.deepEqual(renewed.json, { lease_ms: 60_000, held: KEYS.slice(0, 2) });

    await sql`update ${sql(source)} set version = 2 where id = ${KEYS[0]}`;
    const released = await post(stack, "release", {
      fence: grant.fence,
      outcomes: [{ id: KEYS[0], status: "succeeded" }],
      rest: "succeeded",
      claim: { ...CLAIM, limit: 9 },
    });
    assert.equal(released.status, 200);
    const { settled, lost, superseded, claim } = released.json;
    assert.deepEqual([settled, lost, superseded], [1, [], [KEYS[0]]]);
    assert.equal(RowsGrant.parse(claim).rows.length, 5);

    await sql`update ${sql(source)} set version = 3`;
    const refused = await post(stack, "release", {
      fence: claim.fence,
      outcomes: [{ id: KEYS[0], status: "succeeded" }],
    });
    assert.deepEqual([refused.status, refused.json.code], [409, "superseded"]);
    assert.deepEqual(refused.json.details, { settled: 0, lost: [], superseded: [KEYS[0]] });

    const handedBack = await post(stack, "release", { source, ...CLAIM });
    assert.deepEqual(handedBack.json, { released: 4 });
    const gone = await post(stack, "renew", { fence: claim.fence });
    assert.deepEqual([gone.status, gone.json.code], [409, "lost"]);
    const late = await post(stack, "release", { fence: claim.fence, rest: "succeeded" });
    assert.deepEqual([late.status, late.json.code], [409, "lost"]);
    const next = await post(stack, "claim", { source, ...CLAIM, limit: 2 });
    assert.equal(RowsGrant.parse(next.json).rows.length, 2);
    const state = await (await fetch(`${stack.url}/functions/v1/status`, {
      headers: { apikey: stack.secretKey },
    })).json();
    assert.deepEqual(
      state.sources.filter((counted: { source: string }) => counted.source === source),
      [{
        source,
        work_type: "index",
        claimed: 2,
        succeeded: 1,
        failed: 0,
        expired: 0,
        counted_at: null,
      }],
    );
  }));

Deno.test("what is wrong with a claim on rows is told with its path", () =>
  withSource(async (source) => {
    const stack = sharedStack();
    const refused = async (endpoint: string, body: object, message: RegExp) => {
      const { status, json } = await post(stack, endpoint, body);
      assert.equal(status, 400, JSON.stringify(json));
      assert.match(json.message, message);
    };
    await refused("claim", { source: "no_such", ...CLAIM }, /source must be the name of a claim/);
    await refused("claim", { source: "No Such", ...CLAIM }, /source: must be the name/);
    await refused("claim", { source, worker_id: "w" }, /work_type/);
    await refused("claim", { source, ...CLAIM, ids: ["x"] }, /ids\[0\] must be a whole number/);
    await refused("claim", { source, ...CLAIM, ids: [], limit: 1 }, /either ids or limit/);
    const fence = `${source}:1`;
    await refused("release", { fence }, /outcomes/);
    const bad = [{ id: "x", status: "failed" }];
    await refused("release", { fence, outcomes: bad }, /outcomes\[0\].id must be a whole number/);
    const result = [{ id: "1", status: "succeeded", result: 1 }];
    await refused("release", { fence, outcomes: result }, /result/);
    await refused("drain", { source }, /work_type/);
    await refused("drain", { source, work_type: "index" }, /source: no handler has that name/);
  }));

Deno.test("the loop works on rows, and says which results came too late", () =>
  withSource(async (source, sql) => {
    const seen: string[] = [];
    const logged: [string, unknown][] = [];
    const log: Log = {
      info() {},
      error: (event, fields) => void logged.push([event, fields?.ids]),
      with: () => log,
    };
    const indexing = defineRowWork({
      source,
      workType: "index",
      async run({ id, version, row }) {
        seen.push(`${id} ${row.body} ${version}`);
        if (id === KEYS[1] && version === "1") {
          await sql`update ${sql(source)} set version = 2 where id = ${id}`;
        }
        if (id === KEYS[2]) throw new Error("never");
      },
    });
    const { url, secretKey } = sharedStack();
    const parts = { rpc: remoteRpc(url, secretKey), log, workerId: "loop", leaseSeconds: 60 };
    const summary = await runWorker(chooseWork({ source }, registryOf({ indexing }), parts), {
      concurrency: 1,
      batch: 2,
      leaseSeconds: 60,
      log,
      untilEmpty: true,
    });
    const { claimed, completed, failed, lost } = summary;
    assert.deepEqual({ claimed, completed, failed, lost }, {
      claimed: 7,
      completed: 5,
      failed: 1,
      lost: 1,
    });
    assert.deepEqual(logged, [["superseded", [KEYS[1]]]]);
    assert.deepEqual(
      new Set(seen.filter((line) => line.startsWith(KEYS[1]))),
      new Set([
        `${KEYS[1]} body 2 1`,
        `${KEYS[1]} body 2 2`,
      ]),
    );
  }));

Deno.test("the handlers of rows are chosen by source, and by work type where there are several", () => {
  const log: Log = { info() {}, error() {}, with: () => log };
  const make = (source: string, workType: string) =>
    defineRowWork({ source, workType, run: () => Promise.resolve() });
  const registry = registryOf({
    a: make("papers", "index"),
    b: make("papers", "sum"),
    c: make("notes", "sum"),
  });
  const parts = {
    rpc: remoteRpc("http://127.0.0.1:1", "sb_secret_x"),
    log,
    workerId: "w",
    leaseSeconds: 60,
  };
  const choose = (source: string, work_type?: string) =>
    chooseWork({ source, work_type }, registry, parts);
  choose("notes");
  choose("papers", "sum");
  assert.throws(() => choose("papers"), /work_type: .*known: index, sum/);
  assert.throws(() => choose("papers", "read"), /work_type: .*known: index, sum/);
  assert.throws(() => choose("pages"), /source: .*known: papers, notes/);
  assert.throws(() => registryOf({ a: make("a", "b"), b: make("a", "b") }), /Two handlers/);
});
