import type { Sql } from "postgres";

/**
 * A digest of every row of every table in the schemas `dibs` and `public`: equal before and after
 * what must change nothing.
 */
export async function contents(sql: Sql): Promise<Record<string, string>> {
  const tables = await sql`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname in ('dibs', 'public') order by 1`;
  const digests: Record<string, string> = {};
  for (const { name } of tables) {
    const [{ digest }] = await sql.unsafe(
      `select md5(string_agg(t::text, '|' order by t::text)) as digest from ${name} t`,
    );
    digests[name] = digest;
  }
  return digests;
}
