import { keepInVault } from "../vault.ts";
import type { Deployment, Outcome, Step } from "./deployment.ts";
import { DISPATCH_SECRET, NEXT_DISPATCH_SECRET } from "./function_secrets.ts";
import { callDispatch } from "./outside.ts";
import { patiently } from "./patiently.ts";
import { Problem } from "./problem.ts";
import { newSecret } from "./secrets.ts";
import { readVault } from "./vault.ts";

/**
 * Exchanges the dispatch secret. What the database sends is accepted at any moment: the functions
 * learn the new secret beside the old one, then the database sends the new one, and only when no
 * call with the old one is on its way do the functions forget that.
 */
export const rotation: Step = {
  name: "rotation",
  says: "Exchanging the dispatch secret",
  run: rotate,
};

async function rotate(deployment: Deployment): Promise<Outcome> {
  const { ref, sql, secrets, confidential, dryRun } = deployment;
  const { secret: kept, secretName } = await readVault(sql);
  if (!kept) {
    throw new Problem(
      "The Vault has no dispatch secret to exchange.",
      `Deploy first: npm run deploy -- --project-ref ${ref}`,
    );
  }
  // An earlier rotation came as far as the Vault, and not to its end.
  const isHalfDone = await secrets.holds(NEXT_DISPATCH_SECRET, confidential.keep(kept));
  if (dryRun) return { did: [isHalfDone ? "would finish the last rotation" : "would exchange it"] };
  const secret = isHalfDone ? kept : confidential.keep(newSecret());
  if (!isHalfDone) {
    await secrets.set({ [NEXT_DISPATCH_SECRET]: secret });
    await untilAccepted(deployment, secret);
    await keepInVault(sql, secretName, secret);
  }
  await untilNoneIsOnItsWay(deployment);
  if (!await secrets.holds(DISPATCH_SECRET, secret)) {
    await secrets.set({ [DISPATCH_SECRET]: secret });
  }
  await secrets.unset(NEXT_DISPATCH_SECRET);
  deployment.dispatchSecret = secret;
  return {
    did: [
      isHalfDone ? "finished a rotation that was interrupted" : "the functions took a new one",
      `${secretName} has it, and the functions have forgotten the old one`,
    ],
  };
}

/** What runs already keeps the environment that it was started with. */
async function untilAccepted(deployment: Deployment, secret: string): Promise<void> {
  const status = await patiently(
    deployment,
    () => callDispatch(deployment, { "x-dispatch-secret": secret }),
    (status) => status === 202,
  );
  if (status === 202) return;
  throw new Problem(
    `The functions do not take the new secret: dispatch answers ${status ?? "nothing"}.`,
    "The old one is still in use. Deploy the functions, then exchange it again.",
  );
}

/** Calls that were queued before carry the old secret. */
async function untilNoneIsOnItsWay(deployment: Deployment): Promise<void> {
  const { sql } = deployment;
  const [{ last }] = await sql`select coalesce(max(id), 0) as last from dibs.dispatch`;
  const waiting = await patiently(
    deployment,
    async () => {
      await sql`select dibs.settle_dispatches()`;
      const [{ waiting }] = await sql`
        select exists (select from dibs.dispatch where state = 'sent' and id <= ${last}) as waiting`;
      return waiting as boolean;
    },
    (waiting) => !waiting,
  );
  if (!waiting) return;
  throw new Problem(
    "A call to dispatch with the old secret does not come to an end.",
    "Both secrets are valid meanwhile. Run the same again in a minute: it goes on where it stopped.",
  );
}
