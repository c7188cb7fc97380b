import { GROUPS } from "../../scripts/doctor/checks.ts";
import { examine, type Examined } from "../../scripts/doctor/examine.ts";
import type { Finding, Mend } from "../../scripts/doctor/finding.ts";
import type { Inputs } from "../../scripts/doctor/inputs.ts";
import { print } from "../../scripts/doctor/print.ts";
import { Screen } from "../../scripts/screen.ts";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { execute } from "../docs/execute.ts";

/** What the doctor finds with these checks alone, or with all. */
export async function findingsOf(inputs: Inputs, ...ids: string[]): Promise<Finding[]> {
  return all(await examine(inputs, ids.length === 0 ? GROUPS : groupsOf(ids)));
}

/** What is worse than to be known of. */
export function troublesOf(examined: Examined[]): Finding[] {
  return all(examined).filter(({ severity }) => severity === "warning" || severity === "error");
}

/** What people are shown, when it is not a terminal. */
export function printed(examined: Examined[]): string {
  let text = "";
  const stream = { isTTY: false, write: (part: string) => text += part };
  print(examined, new Screen(stream as unknown as NodeJS.WriteStream));
  return text;
}

/** Does what a mend says, as a reader of it does: in psql, or in a shell with the project's variables. */
export async function runMend(mend: Mend, inputs: Inputs): Promise<string> {
  if ("sql" in mend) {
    const args = ["-X", "-q", "-v", "ON_ERROR_STOP=1", inputs.databaseUrl!];
    return await execute({ program: "psql", args, cwd: PROJECT_DIR }, mend.sql);
  }
  if ("command" in mend) {
    const env = {
      SUPABASE_DB_URL: inputs.databaseUrl!,
      SUPABASE_URL: inputs.url!,
      SUPABASE_SECRET_KEY: inputs.secretKey!,
    };
    const args = ["-euo", "pipefail"];
    return await execute({ program: "bash", args, cwd: PROJECT_DIR, env }, mend.command);
  }
  throw new Error(`Only a person can do this: ${mend.by_hand}`);
}

function groupsOf(ids: string[]) {
  const known = GROUPS.flatMap(({ checks }) => checks.map(({ id }) => id));
  const unknown = ids.filter((id) => !known.includes(id));
  if (unknown.length > 0) throw new Error(`There is no check ${unknown.join(", ")}`);
  return GROUPS.map(({ title, checks }) => ({
    title,
    checks: checks.filter(({ id }) => ids.includes(id)),
  })).filter(({ checks }) => checks.length > 0);
}

function all(examined: Examined[]): Finding[] {
  return examined.flatMap(({ findings }) => findings);
}
