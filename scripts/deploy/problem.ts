/** What stopped a deployment, and how to mend it. */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(message: string, readonly mend: string) {
    super(message);
  }
}

/** What a tool or a driver said, as a {@link Problem}: the first pattern that fits knows the mend. */
export function problemFrom(
  said: string,
  mends: [pattern: RegExp, mend: string][],
  otherwise: string,
): Problem {
  return new Problem(said, mends.find(([pattern]) => pattern.test(said))?.[1] ?? otherwise);
}
