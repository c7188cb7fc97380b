import { parse } from "@std/toml/parse";
import { join, relative } from "node:path";
import { PROJECT_DIR } from "../stack/migrate.ts";
import type { Deployment, Outcome, Step } from "./deployment.ts";
import { digestOf } from "./function_secrets.ts";
import { problemFrom } from "./problem.ts";
import { CliError, supabase } from "./supabase_cli.ts";

/** A function of supabase/config.toml. */
export interface ConfiguredFunction {
  name: string;
  verifyJwt: boolean;
}

/** Says as a secret, of which a digest can be read, what was deployed by this command and is still there. */
const DEPLOYED = "DIBS_DEPLOYED";
const FUNCTIONS_DIR = join(PROJECT_DIR, "functions");
const CONFIG_FILE = join(PROJECT_DIR, "supabase/config.toml");

/** `supabase functions deploy`, unless the project has just these sources. */
export const functions: Step = { name: "functions", says: "Deploying the functions", run: deploy };

async function deploy({ ref, secrets, dryRun }: Deployment): Promise<Outcome> {
  const names = (await configuredFunctions()).map(({ name }) => name);
  const listed = names.join(", ");
  if (await secrets.holds(DEPLOYED, await stateOf(ref, names))) {
    return { did: [`deployed already, from these very sources: ${listed}`] };
  }
  if (dryRun) return { did: [`would deploy ${listed}`] };
  try {
    await supabase(["functions", "deploy", ...names, "--use-api", "--project-ref", ref, "--yes"]);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    throw problemFrom(error.message, [
      [
        /\b(429|rate limit)/i,
        "The platform limits how often one may ask: run the same again in a minute.",
      ],
      [/status 5\d\d/, "The platform could not: run the same again in a minute."],
      [
        /\b403\b|forbidden/i,
        "This account may not deploy to the project: ask its owner for a role.",
      ],
    ], "Mend what the bundler says, then run the same again.");
  }
  await secrets.set({ [DEPLOYED]: await stateOf(ref, names) });
  return { did: [`deployed ${listed}`] };
}

/** The functions that supabase/config.toml names. */
export async function configuredFunctions(): Promise<ConfiguredFunction[]> {
  const config = parse(await Deno.readTextFile(CONFIG_FILE));
  const blocks = (config.functions ?? {}) as Record<string, { verify_jwt?: boolean }>;
  return Object.entries(blocks).map(([name, { verify_jwt: verifyJwt = true }]) => ({
    name,
    verifyJwt,
  }));
}

/** The functions that there are: folders with an index.ts that serves. */
export async function presentFunctions(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(FUNCTIONS_DIR)) {
    if (!isDirectory) continue;
    const index = await Deno.readTextFile(join(FUNCTIONS_DIR, name, "index.ts")).catch(() => "");
    if (/^export default /m.test(index)) names.push(name);
  }
  return names.sort();
}

/** These sources, and what the project runs: a deployment by hand in between makes it another. */
async function stateOf(ref: string, names: string[]): Promise<string> {
  const { stdout } = await supabase([
    "functions",
    "list",
    "--project-ref",
    ref,
    "--output",
    "json",
  ]);
  const running: { slug: string; version: number; ezbr_sha256?: string }[] = JSON.parse(stdout);
  const versions = running.filter(({ slug }) => names.includes(slug))
    .map(({ slug, version, ezbr_sha256 }) => `${slug} ${ezbr_sha256 ?? version}`);
  return await digestOf([...versions.sort(), ...await sources()].join("\0"));
}

/** All that uploads are made of, and a little more. */
async function sources(): Promise<string[]> {
  const files = [CONFIG_FILE, join(PROJECT_DIR, "deno.json"), ...await filesBelow(FUNCTIONS_DIR)];
  return await Promise.all(
    files.sort().map(async (file) =>
      `${relative(PROJECT_DIR, file)}\0${await Deno.readTextFile(file)}`
    ),
  );
}

async function filesBelow(dir: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    const path = join(dir, name);
    if (isDirectory) files.push(...await filesBelow(path));
    else if (name.endsWith(".ts")) files.push(path);
  }
  return files;
}
