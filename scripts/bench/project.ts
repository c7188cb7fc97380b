import { join } from "node:path";
import { PROJECT_DIR } from "../stack/migrate.ts";
import { choosePort } from "../stack/ports.ts";
import { type ProgramOptions, startProgram } from "../stack/processes.ts";
import type { BenchDatabase } from "./cluster.ts";

/** What a project answers over HTTP, from one of the bench's databases. */
export interface BenchProject extends AsyncDisposable {
  url: string;
  secretKey: string;
}

const SECRET_KEY = "sb_secret_bench";
const PUBLISHABLE_KEY = "sb_publishable_bench";

/** Starts the data API, and the functions where they are wanted: processes as in the stack. */
export async function startProject(
  database: BenchDatabase,
  { functions = false } = {},
): Promise<BenchProject> {
  await using started = new AsyncDisposableStack();
  const [gatewayPort, functionsPort] = [choosePort(), choosePort()];
  const url = `http://127.0.0.1:${gatewayPort}`;
  const start = async (options: Omit<ProgramOptions, "log">) => {
    const program = await startProgram({ ...options, log: join(database.dir, "http.log") });
    started.defer(program.stop);
  };

  await start({
    program: "gateway.ts",
    port: gatewayPort,
    env: {
      DIBS_DATABASE_URL: database.url,
      DIBS_FUNCTIONS_URL: `http://127.0.0.1:${functionsPort}`,
      DIBS_PUBLISHABLE_KEY: PUBLISHABLE_KEY,
      DIBS_SECRET_KEY: SECRET_KEY,
      DIBS_JWT_SECRET: crypto.randomUUID(),
    },
  });
  if (functions) {
    await start({
      program: "functions.ts",
      port: functionsPort,
      env: {
        SUPABASE_URL: url,
        SUPABASE_SECRET_KEYS: JSON.stringify({ default: SECRET_KEY }),
        SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: PUBLISHABLE_KEY }),
        SUPABASE_JWKS: JSON.stringify({ keys: [] }),
        DIBS_SUPABASE_DIR: join(PROJECT_DIR, "supabase"),
      },
    });
  }
  const parts = started.move();
  return { url, secretKey: SECRET_KEY, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}
