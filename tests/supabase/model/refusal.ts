/** A call that is refused, with the SQLSTATE that says why. */
export class Refusal extends Error {
  constructor(readonly code: string) {
    super(`refused: ${code}`);
  }
}

/** Refuses bad input. */
export function check(good: boolean): asserts good {
  if (!good) throw new Refusal("PT400");
}
