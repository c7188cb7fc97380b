import type { Check } from "../check.ts";
import { error, ok } from "../finding.ts";
import { literal } from "../sql_text.ts";

/** The tables whose rows can be claimed are there, under the names that were compiled in. */
export const sources: Check = {
  id: "sources",
  needs: ["dibs"],
  async look(project) {
    const found = await project.read((sql) =>
      sql`
        select s.name, c.oid is null or to_regclass('dibs.rows_of_' || s.name) is null as gone,
          strpos(p.prosrc, dibs.quoted_name(c.oid) || ' ') = 0 as renamed
        from dibs.claim_source s
        left join pg_class c on c.oid = s.relation
        left join pg_proc p on p.pronamespace = 'dibs'::regnamespace and p.proname = 'lock_claimable_of_' || s.name
        where s.name <> 'thoughts'
        order by s.name`
    );
    for (const { name, gone, renamed } of found) {
      if (gone) {
        return error(`The table of the claim source ${name} is gone: claims on it fail.`, {
          sql: `select dibs.drop_claim_source(${literal(name)});`,
        });
      } else if (renamed) {
        return error(`The table of the claim source ${name} was renamed: claims on it fail.`, {
          sql: `select dibs.define_source(s) from dibs.claim_source s where name = ${
            literal(name)
          };`,
        });
      }
    }
    if (found.length === 0) return ok("Rows of thoughts can be claimed, and of no other table.");
    return ok(`Rows can be claimed of thoughts, ${found.map(({ name }) => name).join(", ")}.`);
  },
};
