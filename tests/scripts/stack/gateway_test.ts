import assert from "node:assert/strict";
import { join } from "node:path";
import postgres from "postgres";
import { choosePort } from "../../../scripts/stack/ports.ts";
import { databaseAddress } from "../../../scripts/stack/postgres.ts";
import { startProgram } from "../../../scripts/stack/processes.ts";
import { freshDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { muteAtFirst } from "../../support/mute_relay.ts";
import { scratchProject } from "../../support/project.ts";
import { testStack } from "../../support/stack.ts";

const MIGRATION = `
create table public.notes (id int primary key, content jsonb);
alter table public.notes enable row level security;
grant select, insert on public.notes to service_role;
insert into public.notes values (1, '{"a": 1}');

create function public.echo(p_json jsonb, p_texts text[] default '{}') returns jsonb
  language sql set search_path = ''
  as $$ select jsonb_build_object('type', jsonb_typeof(p_json), 'json', p_json, 'texts', p_texts) $$;
create function public.refuse() returns void
  language plpgsql set search_path = '' as $$
begin
  raise exception using errcode = 'PT409', message = 'lost', hint = 'claim again';
end
$$;
revoke execute on all functions in schema public from public;
grant execute on all functions in schema public to service_role;
`;

async function setUp() {
  await using parts = new AsyncDisposableStack();
  const { dir } = parts.use(await scratchProject({ migration: MIGRATION }));
  const stack = parts.use(await testStack({ projectDir: dir }));
  const call = async (path: string, key: string | null, body?: string) => {
    const response = await fetch(stack.url + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { "content-type": "application/json", ...(key && { apikey: key }) },
      body,
    });
    return { status: response.status, body: await response.json().catch(() => null) };
  };
  const all = parts.move();
  return { stack, call, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Who may do what with every table, function and schema, and with those to come. */
async function readGrants(url: string): Promise<Record<string, string>> {
  const sql = postgres(url, { max: 1 });
  const rows = await sql`
    select relname as name, relacl::text as grants from pg_class
    union all select oid::regprocedure::text, proacl::text from pg_proc
    union all select nspname, nspacl::text from pg_namespace
    union all select 'default ' || oid, defaclacl::text from pg_default_acl`;
  await sql.end();
  return Object.fromEntries(rows.map(({ name, grants }) => [name, grants]));
}

Deno.test("the data API answers as a hosted project does", async (t) => {
  await using api = await setUp();
  const { call, stack } = api;
  const { secretKey, publishableKey } = stack;
  const grantsBefore = await readGrants(stack.adminDatabaseUrl);

  await t.step("the secret key reads what is granted to service_role", async () => {
    const { status, body } = await call("/rest/v1/notes?select=content", secretKey);
    assert.deepEqual({ status, body }, { status: 200, body: [{ content: { a: 1 } }] });
  });

  await t.step("no key, a wrong key and the publishable key are refused", async () => {
    for (const path of ["/rest/v1/notes", "/rest/v1/rpc/refuse"]) {
      const body = path.includes("rpc") ? "{}" : undefined;
      for (const key of [null, `${secretKey}x`, publishableKey]) {
        const answer = await call(path, key, body);
        assert.equal(answer.status, 401, `${path} with ${key}: ${JSON.stringify(answer.body)}`);
      }
    }
  });

  await t.step("json arguments arrive as the json they are", async () => {
    for (const json of [{ a: [1, { b: null }] }, [1, "x"], [], "text", "[1]", 5, true]) {
      const answer = await call(
        "/rest/v1/rpc/echo",
        secretKey,
        JSON.stringify({ p_json: json, p_texts: ["a,b", '{"c"}'] }),
      );
      assert.deepEqual(answer.body.json, json);
      assert.deepEqual(answer.body.texts, ["a,b", '{"c"}']);
    }
  });

  await t.step("a refusal keeps its status, message and hint", async () => {
    const { status, body } = await call("/rest/v1/rpc/refuse", secretKey, "{}");
    assert.equal(status, 409);
    assert.deepEqual([body.code, body.message, body.hint], ["PT409", "lost", "claim again"]);
  });

  await t.step("malformed json is a bad request", async () => {
    assert.equal((await call("/rest/v1/rpc/echo", secretKey, "{bad")).status, 400);
  });

  await t.step("all these requests left every grant in the database as it was", async () => {
    assert.deepEqual(await readGrants(stack.adminDatabaseUrl), grantsBefore);
    // TRUNCATE, REFERENCES, TRIGGER and MAINTAIN are the platform's; no reading, no writing.
    assert.match(grantsBefore.notes, /anon=Dxtm\/postgres/);
  });

  await t.step("any other path is not found", async () => {
    const { status, body } = await call("/storage/v1/object", secretKey);
    assert.equal(status, 404);
    assert.deepEqual(Object.keys(body), ["code", "message", "hint"]);
  });
});

Deno.test("until the database answers, the data API says that it does not, for functions and tables", async () => {
  const nobody = databaseAddress({ port: choosePort(), password: "none" });
  await using gateway = await startGateway(nobody);
  for (const path of ["rpc/claim_tasks", "tasks"]) {
    const response = await gateway.post(path);
    assert.equal(response.status, 503);
    assert.equal((await response.json()).code, "PGRST002");
  }
});

Deno.test("where the database never answers the first question, it is asked again", async () => {
  await using db = await freshDatabase();
  await using relay = muteAtFirst(new URL(db.url), 1);
  await using gateway = await startGateway(relay.url);
  await eventually("an answer", async () => {
    const response = await gateway.post("rpc/dibs_status");
    await response.body?.cancel();
    return response.status === 200;
  }, 40);
});

/** The gateway alone, before any database. */
async function startGateway(databaseUrl: string) {
  await using after = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir();
  after.defer(() => Deno.remove(dir, { recursive: true }));
  const { port, stop } = await startProgram({
    program: "gateway.ts",
    port: choosePort(),
    log: join(dir, "log"),
    env: {
      DIBS_DATABASE_URL: databaseUrl,
      DIBS_FUNCTIONS_URL: "http://127.0.0.1:1",
      DIBS_PUBLISHABLE_KEY: "sb_publishable_key",
      DIBS_SECRET_KEY: "sb_secret_key",
      DIBS_JWT_SECRET: "secret".repeat(6),
    },
  });
  after.defer(stop);
  const all = after.move();
  return {
    post: (path: string) =>
      fetch(`http://127.0.0.1:${port}/rest/v1/${path}`, {
        method: "POST",
        headers: { apikey: "sb_secret_key", "content-type": "application/json" },
        body: "{}",
        signal: AbortSignal.timeout(30_000),
      }),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
