import type { Command } from "commander";
import process from "node:process";
import { examine } from "../../doctor/examine.ts";
import { worstOf } from "../../doctor/finding.ts";
import { print as tell } from "../../doctor/print.ts";
import { Screen } from "../../screen.ts";
import { surviveLostConnections } from "../../stack/lost_connections.ts";
import { command, connect, type Options } from "../command.ts";
import { EXIT, Failure } from "../exit_codes.ts";
import { print, printRows } from "../output.ts";
import { jsonText } from "../text.ts";

export function doctor(program: Command): void {
  command(program, "doctor", "What is wrong with a project, and what mends it. It only reads.", [
    "dibs doctor",
    "dibs doctor --ndjson | jq 'select(.severity != \"ok\")'",
    "SUPABASE_DB_URL=postgresql://… dibs doctor --url https://<ref>.supabase.co",
  ]).action(async (options: Options) => {
    surviveLostConnections();
    const examined = await examine(await connect(options));
    const findings = examined.flatMap(({ findings }) => findings);
    const worst = worstOf(findings);
    if (options.json) await print(jsonText({ worst, findings }, 2));
    else if (options.ndjson) await printRows([findings], [], options);
    else tell(examined, new Screen(process.stdout));
    if (worst === "warning" || worst === "error") throw new Failure(EXIT.failed, "");
  });
}
