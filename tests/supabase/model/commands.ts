import fc from "fast-check";

/** What is drawn: a call, time that passes, a call that is cut off before it commits, a look. */
export type Command<CallCommand> =
  | CallCommand
  | { verb: "crash"; during: CallCommand }
  | { verb: "pass"; ms: number }
  /** Until so many milliseconds after something ends or begins by itself. */
  | { verb: "pass_until"; nth: number; ms: number }
  | { verb: "look" };

export function commandOf<CallCommand>(
  call: fc.Arbitrary<CallCommand>,
): fc.Arbitrary<Command<CallCommand>> {
  const ms = fc.constantFrom(1, 50, 150, 300, 999, 1000, 1001, 2000, 5000, 60_000, 1_000_000);
  return fc.oneof<fc.WeightedArbitrary<Command<CallCommand>>[]>(
    { weight: 30, arbitrary: call },
    { weight: 2, arbitrary: fields({ verb: fc.constant("crash"), during: call }) },
    { weight: 4, arbitrary: fields({ verb: fc.constant("pass"), ms }) },
    {
      weight: 3,
      arbitrary: fields({
        verb: fc.constant("pass_until"),
        nth: fc.nat({ max: 3 }),
        ms: fc.constantFrom(-1, 0, 1),
      }),
    },
    { weight: 1, arbitrary: fields({ verb: fc.constant("look") }) },
  );
}

/** Calls of all verbs, each with its weight. */
export function callOf<Call>(
  verbs: Record<string, [weight: number, fc.Arbitrary<object>]>,
): fc.Arbitrary<Call> {
  return fc.oneof(
    ...Object.entries(verbs).map(([verb, [weight, rest]]) => ({
      weight,
      arbitrary: rest.map((rest) => ({ verb, ...rest }) as Call),
    })),
  );
}

/** A plain object, as it prints and as it stands in a list of examples. */
export function fields<T, U = object>(
  always: { [K in keyof T]: fc.Arbitrary<T[K]> },
  sometimes = {} as { [K in keyof U]: fc.Arbitrary<U[K]> },
): fc.Arbitrary<T & Partial<U>> {
  const requiredKeys = Object.keys(always) as never[];
  return fc.record({ ...always, ...sometimes }, { requiredKeys, noNullPrototype: true }) as never;
}

/** Now and then something else: once in so many draws. */
export function mostly<T>(
  usual: fc.Arbitrary<T>,
  odd: fc.Arbitrary<T>,
  oneIn: number,
): fc.Arbitrary<T> {
  return fc.oneof({ weight: oneIn - 1, arbitrary: usual }, { weight: 1, arbitrary: odd });
}
