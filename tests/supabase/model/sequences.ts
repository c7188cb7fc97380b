import fc from "fast-check";

/**
 * Fails when some sequence of commands makes the run throw: those that once did, and as many drawn
 * by chance as DIBS_MODEL_RUNS or the test says. The failure says how to repeat it; see CONTRIBUTING.md.
 */
export async function holdForSequences<Command>(
  command: fc.Arbitrary<Command>,
  examples: Command[][],
  run: (commands: Command[]) => Promise<void>,
  runs = 5000,
): Promise<void> {
  const [seed, ...path] = (Deno.env.get("DIBS_MODEL_SEED") ?? "").split(":");
  const details = await fc.check(fc.asyncProperty(sequenceOf(command), run), {
    numRuns: Number(Deno.env.get("DIBS_MODEL_RUNS") ?? runs),
    seed: seed ? Number(seed) : undefined,
    path: path.join(":"),
    examples: examples.map((commands) => [commands]),
  });
  if (details.failed) {
    const again = `DIBS_MODEL_SEED=${details.seed}:${details.counterexamplePath}`;
    throw new Error(`Repeat this with ${again}\n${fc.defaultReportMessage(details)}`, {
      cause: details.errorInstance,
    });
  }
}

function sequenceOf<Command>(command: fc.Arbitrary<Command>): fc.Arbitrary<Command[]> {
  const upTo = (maxLength: number) => fc.array(command, { minLength: 1, maxLength, size: "max" });
  return fc.oneof({ weight: 3, arbitrary: upTo(20) }, { weight: 1, arbitrary: upTo(60) });
}
