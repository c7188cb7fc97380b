// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { z } from "zod";
import { sqlFunctions } from "../../functions/_shared/schemas/functions.ts";
import { freshDatabase } from "../support/database.ts";

interface SqlFunction {
  name: string;
  config: string[] | null;
  definer: boolean;
  comment: string | null;
  body: string;
}

Deno.test("every function has an empty search path, runs as its caller, and says what it is for", async () => {
  await using db = await freshDatabase();
  const functions = await functionsOf(db.sql);
  assert(functions.length > 26, "there are functions");
  assert.deepEqual(functions.flatMap(faultsOf), []);

  await db.sql`create function dibs.loose() returns int security definer return 1`;
  assert.deepEqual((await functionsOf(db.sql)).flatMap(faultsOf), [
    "dibs.loose() has no empty search path",
    "dibs.loose() runs as its owner",
    "dibs.loose() has no comment",
  ]);
});

Deno.test("no function updates or deletes every row", async () => {
  await using db = await freshDatabase();
  const bodies = (await functionsOf(db.sql)).filter(({ body }) => isUnguarded(body));
  assert.deepEqual(bodies.map(({ name }) => name), []);

  for (
    const unguarded of [
      "delete from dibs.lane;",
      "update dibs.lane set type = 'a'; select 1 where true;",
      "update dibs.lane l set type = 'a' -- where it hurts\n;",
    ]
  ) assert(isUnguarded(unguarded), unguarded);
  for (
    const guarded of [
      "delete from dibs.lane where type = 'a';",
      "insert into dibs.lane values ('a', 1) on conflict do update set type = 'a';",
      "select 1 from dibs.lane for update;",
    ]
  ) assert(!isUnguarded(guarded), guarded);
});

Deno.test("every table has row level security and says what it is for", async () => {
  await using db = await freshDatabase();
  const tables = await db.sql`
    select oid::regclass::text as name, relrowsecurity as secured, obj_description(oid, 'pg_class') as comment
    from pg_class
    where relkind = 'r' and relnamespace in ('dibs'::regnamespace, 'public'::regnamespace)`;
  assert(tables.length > 10, "there are tables");
  for (const { name, secured, comment } of tables) {
    assert(secured, `${name} has row level security`);
    assert(comment, `${name} has a comment`);
  }
});

Deno.test("public holds the interface and nothing else of Dibs", async () => {
  await using db = await freshDatabase();
  const [{ functions, listed, relations, types }] = await db.sql`
    select
      (select array_agg(proname order by proname) from pg_proc where pronamespace = 'public'::regnamespace) as functions,
      (select array_agg(name::name order by name::name) from unnest(dibs.interface()) name) as listed,
      (select array_agg(relname order by relname) from pg_class
        where relnamespace = 'public'::regnamespace and relkind not in ('i', 't')) as relations,
      (select count(*)::int from pg_type t left join pg_class c on c.oid = t.typrelid
        where t.typnamespace = 'public'::regnamespace and t.typcategory <> 'A' and coalesce(c.relkind, 'c') = 'c') as types`;
  assert.deepEqual(functions, listed);
  assert.deepEqual(relations, ["tasks", "thought_work_claims", "thoughts"]);
  assert.equal(types, 0);
});

Deno.test("what the functions send to SQL is what SQL takes", async () => {
  await using db = await freshDatabase();
  for (const [name, { args }] of Object.entries(sqlFunctions)) {
    const taken = await argumentsOf(db.sql, name);
    const sent: Record<string, z.ZodType> = args.shape;
    for (const [argument, schema] of Object.entries(sent)) {
      assert(taken[argument], `${name} takes ${argument}`);
      assert.equal(jsonTypeOf(schema), taken[argument].type, `the type of ${argument} of ${name}`);
      const mayBeLeftOut = schema.safeParse(undefined).success && jsonTypeOf(schema) !== "any";
      assert(!mayBeLeftOut || taken[argument].optional, `${argument} of ${name} may be left out`);
    }
    for (const [argument, { optional }] of Object.entries(taken)) {
      assert(optional || sent[argument], `${name} is sent ${argument}`);
    }
  }
});

async function functionsOf(sql: Sql): Promise<SqlFunction[]> {
  return await sql`
    select oid::regprocedure::text as name, proconfig as config, prosecdef as definer,
      obj_description(oid, 'pg_proc') as comment, coalesce(prosrc, '') as body
    from pg_proc where pronamespace in ('dibs'::regnamespace, 'public'::regnamespace)
    order by 1`;
}

function faultsOf({ name, config, definer, comment }: SqlFunction): string[] {
  return [
    !config?.includes('search_path=""') && `${name} has no empty search path`,
    definer && !comment?.includes("Security definer, because") && `${name} runs as its owner`,
    !comment && `${name} has no comment`,
  ].filter((fault) => fault !== false);
}

/** What safeupdate would refuse: the hosted data API loads it. */
function isUnguarded(body: string): boolean {
  return body.replaceAll(/--.*$/gm, "").split(";").some((statement) => {
    const write = statement.match(/\bdelete\s+from\b|\bupdate\s+[\w.]+(\s+(as\s+)?\w+)?\s+set\b/i);
    return write && !/\bwhere\b/i.test(statement.slice(write.index));
  });
}

/** A function's arguments by name, each with the JSON type the data API reads it from. */
async function argumentsOf(sql: Sql, name: string) {
  const rows = await sql<{ argument: string; type: string; optional: boolean }[]>`
    select p.proargnames[n] as argument, format_type(type, null) as type,
      n > p.pronargs - p.pronargdefaults as optional
    from pg_proc p, unnest(p.proargtypes) with ordinality a(type, n)
    where p.pronamespace = 'public'::regnamespace and p.proname = ${name}`;
  return Object.fromEntries(
    rows.map(({ argument, type, optional }) => [argument, { type: JSON_TYPES[type], optional }]),
  );
}

const JSON_TYPES: Record<string, string> = {
  "text": "string",
  "uuid": "string",
  "text[]": "array of string",
  "uuid[]": "array of string",
  "integer": "integer",
  "jsonb": "any",
};

function jsonTypeOf(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  const { type, items } = json.anyOf?.find(({ type }) => type !== "null") ?? json;
  const [word] = [type].flat().filter((word) => word !== "null");
  if (word === "string" || word === "integer") return word;
  const holdsText = word === "array" && (items as { type?: string }).type === "string";
  return holdsText ? "array of string" : "any";
}
