import { count } from "../numbers.ts";
import type { Deployment, Outcome, Step } from "./deployment.ts";
import { type Problem, problemFrom } from "./problem.ts";
import { CliError, supabase } from "./supabase_cli.ts";

/** `supabase db push`, after it has said what it would push. */
export const migrations: Step = { name: "migrations", says: "Applying migrations", run: push };

async function push({ database, dryRun }: Deployment): Promise<Outcome> {
  const args = ["db", "push", "--db-url", database.url, "--yes"];
  const env = { PGPASSWORD: database.password };
  try {
    const { stdout, stderr } = await supabase([...args, "--dry-run"], env);
    const pending = [...`${stdout}\n${stderr}`.matchAll(/^\W*(\d+_\w+\.sql)$/gm)].map(([, file]) =>
      file
    );
    if (pending.length === 0) return { did: ["none to apply: the database is up to date"] };
    if (!dryRun) await supabase(args, env);
    const how = dryRun ? "would apply" : "applied";
    return {
      did: [`${how} ${count(pending.length, "migration")}`, ...pending.map((file) => `  ${file}`)],
    };
  } catch (error) {
    throw error instanceof CliError ? pushProblem(error.message) : error;
  }
}

function pushProblem(said: string): Problem {
  return problemFrom(
    said,
    [
      [
        /not found in local migrations directory/i,
        "The project has migrations that are not here. Deploy from the repository that has them, with " +
        "Dibs put into it.",
      ],
      [
        /public\.tasks already/,
        "Mend what the error lists, or rename that table (docs/adopting.md, A table tasks of your own), then " +
        "run the same again.",
      ],
      [
        /lock timeout|55P03/,
        "A transaction kept a table for longer than 3 seconds. Run the same again: it goes on where it stopped.",
      ],
      [
        /permission denied|42501/,
        "Push as the role postgres: Dashboard → Connect has its address.",
      ],
    ],
    "Mend what the statement stumbled over, then run the same again: it goes on where it stopped.",
  );
}
