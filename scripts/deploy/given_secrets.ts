import { parseEnv } from "node:util";
import { Problem } from "./problem.ts";

/** What the functions of this repository read, where it is given. */
export const SETTINGS = [
  "DIBS_WALL_CLOCK_SECONDS",
  "DIBS_MAIL_URL",
  "DIBS_MAIL_KEY",
  "DIBS_MAIL_FROM",
];

/** Made and exchanged by this command, or set by the platform. */
const NOT_TO_BE_GIVEN =
  /^(SUPABASE_|DIBS_DISPATCH_SECRET$|DIBS_NEXT_DISPATCH_SECRET$|DIBS_DEPLOYED$)/;

/** From the environment those that the functions read; from a file all, as handlers may read others. */
export async function givenSecrets(envFile?: string): Promise<Record<string, string>> {
  const given: Record<string, string> = {};
  for (const name of SETTINGS) {
    const value = Deno.env.get(name);
    if (value) given[name] = value;
  }
  if (envFile) Object.assign(given, parseEnv(await read(envFile)));
  return Object.fromEntries(Object.entries(given).filter(([name]) => !NOT_TO_BE_GIVEN.test(name)));
}

async function read(file: string): Promise<string> {
  return await Deno.readTextFile(file).catch((error) => {
    throw new Problem(
      `The file of --env-file cannot be read: ${error.message}`,
      "It has a line NAME=value for each secret.",
    );
  });
}
