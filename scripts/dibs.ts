import { runDibs } from "./cli/run.ts";

Deno.exit(await runDibs(Deno.args));
