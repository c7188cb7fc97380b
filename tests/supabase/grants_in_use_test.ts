// On PostgreSQL 15, too.
// What grants.txt says is what a session of the role meets: each privilege on each object is tried.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { contents } from "../support/contents.ts";
import { type Attempt, everyAttempt, isDenied, makeScratch } from "../support/attempts.ts";
import { freshDatabase, type TestDatabase } from "../support/database.ts";
import { dropAndCreateEverything } from "../support/drop_and_create.ts";
import { wantedOf } from "../support/grants.ts";
import { someOfEverything } from "../support/some_of_everything.ts";

const STRANGERS = ["anon", "authenticated", "authenticator"] as const;

function testBoth(name: string, test: (db: TestDatabase) => Promise<void>): void {
  for (const regime of ["hidden", "exposed"] as const) {
    Deno.test(`${name}, where new objects are ${regime}`, async () => {
      await using db = await freshDatabase({ regime });
      await test(db);
    });
  }
}

testBoth("strangers are refused every read, write, call and DDL on everything", async (db) => {
  const sql = await connectAsAnybody(db);
  const attempts = await everyAttempt(sql);
  assert(attempts.length > 250, `${attempts.length} attempts`);
  assert.deepEqual(await allowed(sql, STRANGERS, attempts), []);
});

testBoth("each object refuses strangers by itself, were the schema open to them", async (db) => {
  const sql = await connectAsAnybody(db);
  const attempts = (await everyAttempt(sql)).filter(({ object }) => object !== "schema dibs");
  await db.sql`grant usage on schema dibs to public`;
  assert.deepEqual(await allowed(sql, STRANGERS, attempts), []);

  await db.sql`grant truncate on dibs.log to anon`;
  assert.deepEqual(await allowed(sql, STRANGERS, attempts), ["anon: truncate table dibs.log"]);
});

testBoth("the service role is refused what it has no need of, and nothing else", async (db) => {
  const sql = await connectAsAnybody(db);
  const attempts = await everyAttempt(sql);
  const wanted = attempts
    .filter(({ object, privilege }) => wantedOf(object, "service_role").includes(privilege));
  assert(wanted.length > 150, `${wanted.length} attempts`);
  assert.deepEqual(
    await allowed(sql, ["service_role"], attempts),
    wanted.map(describe("service_role")),
  );
});

testBoth("everything that callers do works as the service role", async (db) => {
  await someOfEverything(db.as("service_role"));
});

testBoth("were every table granted by mistake, its rows would stay hidden", async (db) => {
  await someOfEverything(db.sql);
  await db.sql.unsafe(`
    grant usage on schema dibs to anon;
    grant select, insert, update, delete on all tables in schema dibs, public to anon;
    grant execute on all functions in schema dibs to anon`);
  const anon = db.as("anon");
  const tables = await db.sql`
    select oid::regclass::text as name, relkind = 'v' as "isView",
      (select string_agg(quote_ident(attname), ', ') from pg_attribute
        where attrelid = pg_class.oid and attnum > 0 and attgenerated = '' and not attisdropped) as columns
    from pg_class
    where relkind in ('r', 'v') and relnamespace in ('dibs'::regnamespace, 'public'::regnamespace)`;
  let filled = 0;
  for (const { name, isView, columns } of tables) {
    const count = (sql: Sql) => sql.unsafe(`select count(*)::int as n from ${name}`);
    const [{ n }] = await count(db.as("service_role"));
    filled += Math.min(n, 1);
    assert.equal((await count(anon))[0].n, 0, name);
    if (isView) continue;
    assert.equal((await anon.unsafe(`delete from ${name}`)).count, 0, name);
    const copy =
      `insert into ${name} (${columns}) overriding system value select ${columns} from ${name}_copy`;
    await db.sql.unsafe(
      `create table ${name}_copy as table ${name}; grant select on ${name}_copy to anon`,
    );
    if (n > 0) await assert.rejects(anon.unsafe(copy), /violates row-level security policy/, name);
  }
  assert(filled > 18, `${filled} tables have rows`);
});

testBoth(
  "a migration that forgets to seal opens calls, but nothing that they could do",
  async (db) => {
    await dropAndCreateEverything(db.sql);
    await someOfEverything(db.sql);
    await db.sql`select public.claim_next_thoughts('left', 'worker', 3)`;
    const before = await contents(db.sql);
    const anon = db.as("anon");
    const calls = (await everyAttempt(db.sql))
      .filter(({ object }) => object.startsWith("function public."))
      .map(({ statement }) => statement);
    for (const statement of [...calls, "select public.release_claims_for_worker(null, 'worker')"]) {
      // A table that was open is one whose rows are hidden still.
      const denied = /^permission denied for (schema dibs|table|view)|^new row violates row-level/;
      const answer = await anon.unsafe(statement).catch(({ message }) => message);
      assert(
        denied.test(answer) || Object.values(answer[0] ?? {}).every((value) => !value),
        statement,
      );
    }
    assert.deepEqual(await contents(db.sql), before);
  },
);

/** A session that may become anybody. */
async function connectAsAnybody(db: TestDatabase): Promise<Sql> {
  await makeScratch(db.sql);
  return db.as("supabase_admin");
}

/** Those attempts that are not denied. */
async function allowed(sql: Sql, roles: readonly string[], attempts: Attempt[]): Promise<string[]> {
  const found = [];
  for (const role of roles) {
    for (const attempt of attempts) {
      if (!await isDenied(sql, role, attempt)) found.push(describe(role)(attempt));
    }
  }
  return found;
}

function describe(role: string) {
  return ({ object, privilege }: Attempt) => `${role}: ${privilege} ${object}`;
}
