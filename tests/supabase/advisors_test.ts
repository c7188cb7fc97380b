// On PostgreSQL 15, too.
// What the platform's advisors say. The CLI leaves out lints 0026 to 0029: tables that pg_graphql shows, and
// SECURITY DEFINER functions that anon or authenticated may execute. grants_test.ts covers both, since there
// is nothing that they may select or execute.
import assert from "node:assert/strict";
import { freshDatabase, type TestDatabase } from "../support/database.ts";
import { someOfEverything } from "../support/some_of_everything.ts";
import { supabaseCli } from "../support/supabase_cli.ts";

const ACCEPTED = parse(await Deno.readTextFile(new URL("advisors.txt", import.meta.url)));

for (const regime of ["hidden", "exposed"] as const) {
  Deno.test(`the advisors remark on nothing but what advisors.txt gives a reason for, where new objects are ${regime}`, async () => {
    await using db = await freshDatabase({ regime });
    await useEveryIndex(db);
    assert.deepEqual(await remarks(db), ACCEPTED);

    await db.sql.unsafe(`
      create table public.open_to_all (id int primary key, note text);
      create index by_note on public.open_to_all (note);
      create view public.for_owners as select * from dibs.log;
      create function public.loose() returns int language sql as 'select 1';
      grant select on public.open_to_all, public.for_owners to anon`);
    const found = (await remarks(db)).filter((remark) => !ACCEPTED.includes(remark));
    assert.deepEqual(found, [
      "ERROR rls_disabled_in_public public.open_to_all",
      "ERROR security_definer_view public.for_owners",
      "INFO unused_index public.open_to_all by_note",
      "WARN function_search_path_mutable public.loose",
    ]);
  });
}

/** An index that was never used is only worth a remark where everything was done at least once. */
async function useEveryIndex(db: TestDatabase): Promise<void> {
  const session = db.connect();
  await someOfEverything(session);
  await session`select dibs.tick()`;
  // Where a search reads all of a small table, it is the index of a large one.
  await session`set enable_seqscan = off`;
  await session`select from public.tasks where status = 'failed'`;
  await session`select pg_stat_force_next_flush()`;
}

async function remarks({ url }: TestDatabase): Promise<string[]> {
  const { code, said } = await supabaseCli(
    url,
    "db",
    "advisors",
    "--level",
    "info",
    "--output-format",
    "json",
  );
  assert.equal(code, 0, said);
  const { results } = JSON.parse(said.slice(said.indexOf("{"), said.lastIndexOf("}") + 1));
  return results.map(({ level, name, metadata, detail }: Remark) => {
    const [, index] = detail.match(/^Index `(.*?)` on/) ?? [];
    return [level, name, `${metadata.schema}.${metadata.name}`, index].filter(Boolean).join(" ");
  }).sort();
}

interface Remark {
  level: string;
  name: string;
  metadata: { schema: string; name: string };
  detail: string;
}

/** A remark a line, from objects that stand below what is remarked of them. */
function parse(text: string): string[] {
  let name = "";
  return text.split("\n").filter((line) => line && !line.startsWith("#")).flatMap((line) => {
    if (line.startsWith(" ")) return [`INFO ${name} ${line.trim()}`];
    name = line;
    return [];
  }).sort();
}
