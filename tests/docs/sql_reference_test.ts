import assert from "node:assert/strict";
import { freshDatabase } from "../support/database.ts";
import { readDocument } from "./markdown.ts";

Deno.test("docs/sql.md has every function as the database has it, and no other", async () => {
  await using db = await freshDatabase();
  const functions = await db.sql`
    select p.proname || '(' || pg_get_function_arguments(p.oid) || ') → '
      || pg_get_function_result(p.oid) as signature
    from pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.proname = any (dibs.interface())`;
  const described = [...(await readDocument("docs/sql.md")).matchAll(/^`(\w+\(.*→.*)`$/gm)];
  assert.deepEqual(
    described.map(([, signature]) => signature).sort(),
    functions.map(({ signature }) => shorten(signature)).sort(),
  );
});

/** As people write it. */
function shorten(signature: string): string {
  return signature
    .replace(/ DEFAULT /g, " default ")
    .replace(/timestamp with time zone/g, "timestamptz")
    .replace(/::[a-z]+(\[\])?/g, "")
    .replace(/NULL/g, "null")
    .replace(/\binteger\b/g, "int")
    .replace(/→ SETOF /, "→ setof ")
    .replace(/→ TABLE/, "→ table")
    .replace(/, OUT (\w+ int), OUT (\w+ uuid\[\])\) → record/, ") → ($1, $2)")
    .replace(
      /, OUT (\w+ int), OUT (\w+ text\[\]), OUT (\w+ text\[\])\) → record/,
      ") → ($1, $2, $3)",
    );
}
