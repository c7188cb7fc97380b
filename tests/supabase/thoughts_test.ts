import assert from "node:assert/strict";
import { migrate } from "../../scripts/stack/migrate.ts";
import { freshDatabase } from "../support/database.ts";
import { claim, makeThoughts } from "../support/thoughts.ts";

Deno.test("a project without thoughts gets the table, for the service role alone", async () => {
  await using db = await freshDatabase({ regime: "exposed" });
  const columns = await db.sql`
    select column_name as name, data_type as type, is_nullable = 'NO' as required
    from information_schema.columns
    where table_schema = 'public' and table_name = 'thoughts' and column_name <> 'embedding'
    order by ordinal_position`;
  assert.deepEqual([...columns], [
    { name: "id", type: "uuid", required: true },
    { name: "content", type: "text", required: true },
    { name: "metadata", type: "jsonb", required: false },
    { name: "created_at", type: "timestamp with time zone", required: false },
    { name: "updated_at", type: "timestamp with time zone", required: false },
  ]);
  assert.equal((await makeThoughts(db.as("service_role"), 1)).length, 1);
  for (const role of ["anon", "authenticated"] as const) {
    await assert.rejects(db.as(role)`select from public.thoughts`, { code: "42501" });
  }
});

Deno.test("thoughts that a project has stay as they are, and can be claimed", async () => {
  await using db = await freshDatabase({ migrated: false, regime: "exposed" });
  await db.sql.unsafe(`
    create table public.thoughts (
      id uuid primary key default gen_random_uuid(), content text not null, mood text default 'calm',
      metadata jsonb default '{}');
    create policy everybody_reads on public.thoughts for select using (true);
    revoke all on public.thoughts from service_role`);
  const before = await shapeOfThoughts();
  await migrate(db.url);
  assert.deepEqual(await shapeOfThoughts(), before);

  const ids = await makeThoughts(db.sql, 2);
  assert.deepEqual(await claim(db.as("service_role"), ids), ids);
  assert.equal((await db.as("authenticated")`select mood from public.thoughts`).length, 2);

  async function shapeOfThoughts() {
    const [shape] = await db.sql`
      select c.relrowsecurity, c.relchecks,
        (select array_agg(format('%s %s', attname, atttypid::regtype) order by attnum)
          from pg_attribute where attrelid = c.oid and attnum > 0) as columns,
        (select array_agg(indexrelid::regclass::text) from pg_index where indrelid = c.oid) as indexes,
        (select array_agg(tgname) from pg_trigger where tgrelid = c.oid and not tgisinternal) as triggers
      from pg_class c
      where c.oid = 'public.thoughts'::regclass`;
    return shape;
  }
});
