import { databaseProblem } from "./database.ts";
import type { Deployment, Step, Verified } from "./deployment.ts";
import { Problem } from "./problem.ts";
import { CliError } from "./supabase_cli.ts";

/** What came of a deployment. */
export interface Report {
  /** What was done, step by step. */
  steps: { step: string; did: string[] }[];
  verified: Verified[];
  /** The step that stopped it. */
  failed: { step: string; message: string; mend: string } | null;
}

/** Is told how it goes. */
export interface Narrator {
  begins(step: Step): void;
  did(lines: string[]): void;
  failed(): void;
}

/** Takes one step after the other, as far as they succeed and nobody interrupts. */
export async function carryOut(
  steps: Step[],
  open: () => Promise<Deployment & AsyncDisposable>,
  narrator: Narrator,
  interrupt: AbortSignal,
): Promise<Report> {
  const report: Report = { steps: [], verified: [], failed: null };
  await using parts = new AsyncDisposableStack();
  let deployment: Deployment | null = null;
  for (const step of steps) {
    if (interrupt.aborted) break;
    narrator.begins(step);
    try {
      deployment ??= parts.use(await open());
      const { did, verified = [] } = await step.run(deployment);
      report.steps.push({ step: step.name, did });
      report.verified = verified;
      narrator.did(did);
    } catch (error) {
      narrator.failed();
      // Ctrl-C ends the CLI, too, and that is no fault of the step.
      if (!interrupt.aborted) report.failed = { step: step.name, ...reasonOf(error) };
      break;
    }
  }
  const unmet = report.verified.find(({ passed }) => !passed);
  if (unmet) {
    const { what, found, mend } = unmet;
    report.failed = {
      step: report.steps.pop()!.step,
      message: `Not true: ${what} (${found})`,
      mend,
    };
  }
  return report;
}

function reasonOf(error: unknown): { message: string; mend: string } {
  const { message, mend } = error instanceof Problem
    ? error
    : error instanceof CliError
    ? new Problem(
      error.message,
      "Mend what it says, then run the same again: it goes on where it stopped.",
    )
    : error instanceof Error && "code" in error
    ? databaseProblem(error)
    : new Problem(
      String(error),
      "Nobody foresaw this. Run the same again, and report it if it stays.",
    );
  return { message, mend };
}
