import { randomBytes } from "node:crypto";
import type { Deployment, Outcome, Step } from "./deployment.ts";
import { DISPATCH_SECRET, NEXT_DISPATCH_SECRET } from "./function_secrets.ts";
import { readVault } from "./vault.ts";

/** The environment of the functions. What they have already is not set again. */
export const secrets: Step = { name: "secrets", says: "Setting secrets", run: setMissing };

async function setMissing(deployment: Deployment): Promise<Outcome> {
  const { secrets, given, dryRun } = deployment;
  const { secret, why } = await chooseDispatchSecret(deployment);
  deployment.dispatchSecret = deployment.confidential.keep(secret);
  const missing: Record<string, string> = {};
  const kept: string[] = [];
  for (const [name, value] of Object.entries({ [DISPATCH_SECRET]: secret, ...given })) {
    if (await secrets.holds(name, value)) kept.push(name);
    else missing[name] = value;
  }
  const names = Object.keys(missing);
  if (names.length > 0 && !dryRun) await secrets.set(missing);
  return {
    did: [
      ...why ? [why] : [],
      ...kept.length > 0 ? [`kept ${kept.join(", ")}`] : [],
      ...names.length > 0 ? [`${dryRun ? "would set" : "set"} ${names.join(", ")}`] : [],
      ...secrets.has(NEXT_DISPATCH_SECRET)
        ? ["a rotation of the dispatch secret was interrupted: --rotate-secret finishes it"]
        : [],
    ],
  };
}

/** The one in the Vault, which alone can be read, unless it came there with a copy of another project. */
async function chooseDispatchSecret({ sql, url, secrets }: Deployment) {
  const kept = await readVault(sql);
  if (!kept.secret) return { secret: newSecret() };
  const isOurs = kept.url === null || kept.url === url ||
    await secrets.holds(DISPATCH_SECRET, kept.secret);
  if (isOurs) return { secret: kept.secret };
  return {
    secret: newSecret(),
    why:
      `the Vault came with a copy of ${kept.url}: this project gets a dispatch secret of its own`,
  };
}

/** For dispatch. */
export function newSecret(): string {
  return randomBytes(32).toString("hex");
}
