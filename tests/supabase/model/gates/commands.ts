import fc from "fast-check";
import { callOf, type Command, commandOf, fields, mostly } from "../commands.ts";
import type { Call, Calls, Filter, Limited, NewTask, Payload, Unique, Verb } from "./calls.ts";
import type { Tasks } from "./state.ts";

type Drawn = Calls<number, number>;
export type CallCommand = { [V in Verb]: { verb: V } & Drawn[V] }[Verb];
export type GatesCommand = Command<CallCommand>;

// What is drawn ------------------------------------------------------------------------------------

const nth = fc.nat({ max: 11 });
const worker = fc.constantFrom("ada", "bob");
const type = mostly(fc.constant("a"), fc.constant("b"), 4);
const key = fc.constantFrom("x", "y");
const order_key = fc.constantFrom("o", "p", "q");
const priority = fc.constantFrom(-1, 0, 1);
const payload = fc.constantFrom<Payload[]>({ n: 1 }, { n: 2 }, { m: 3 });

const unique_key = fc.constantFrom("k1", "k2");
const unique: fc.Arbitrary<Unique> = mostly(
  fields<Unique, Unique>({ unique_key }, {
    unique_mode: fc.constantFrom("return_existing", "reject", "replace", "replace", "debounce"),
    unique_scope: fc.constantFrom("unfinished", "pending"),
    unique_seconds: fc.constantFrom(1, 5),
  }),
  fc.oneof(
    fields<Unique>({
      unique_key,
      unique_mode: fc.constant("debounce"),
      unique_merge: fc.constant(true),
    }),
    fields<Unique>({ unique_key, unique_merge: fc.constant(true) }),
    fields<Unique>({ unique_mode: fc.constant("replace") }),
  ),
  5,
);
const atOnce = fc.constant(undefined);
const task: fc.Arbitrary<NewTask> = fc.tuple(
  fields<
    Pick<NewTask, "type" | "payload" | "run_at">,
    Omit<NewTask, "type" | "payload" | "run_at">
  >(
    {
      type,
      payload,
      run_at: mostly<number | undefined>(atOnce, fc.constantFrom(500, 2000, -1000), 5),
    },
    { key, order_key, priority, max_attempts: fc.constantFrom(1, 2) },
  ),
  mostly<Unique>(fc.constant({}), unique, 3),
).map(([task, unique]) => ({ ...task, ...unique }));

const claim = {
  worker,
  types: fc.constantFrom<(string[] | null)[]>(null, null, ["a"], ["b"], ["a", "b"]),
  limit: fc.constantFrom(1, 1, 2, 3, 5),
  seconds: fc.constantFrom(1, 60, 60),
};

const named = mostly(fc.nat({ max: 2 }), nth, 4);
const outcome = fields(
  { id: named, status: fc.constantFrom("succeeded", "failed", "released") },
).chain((outcome) =>
  outcome.status !== "failed" ? fc.constant(outcome) : fields(
    { id: fc.constant(outcome.id), status: fc.constant("failed") },
    { error: fc.constantFrom("broken", "late"), permanent: fc.boolean() },
  )
);
const settlement = {
  fence: mostly(fc.nat({ max: 1 }), nth, 3),
  outcomes: fc.uniqueArray(outcome, { maxLength: 3, selector: ({ id }) => id }),
  rest: fc.constantFrom(null, "succeeded", "failed", "released"),
};

const bulk = (statuses: string[]) => ({
  filter: mostly<Filter<number>>(
    fields<object, Filter<number>>({}, {
      types: fc.constantFrom(["a"], ["b"], ["a", "b"]),
      statuses: fc.subarray(statuses, { minLength: 1 }),
      ids: fc.array(nth, { minLength: 1, maxLength: 4 }),
      error: fc.constant("%broken%"),
      unique_key_prefix: fc.constantFrom("k", "k1"),
      key,
      order_key,
      payload,
    }).filter((filter) => Object.keys(filter).length <= 3),
    fields({ statuses: fc.constantFrom(statuses, ["completed"]) }),
    3,
  ),
  dry_run: mostly(fc.constant(false), fc.constant(true), 4),
  limit: fc.constantFrom(1000, 1000, 2),
});

const gate = fc.oneof<fc.Arbitrary<Limited>[]>(
  fields({ type, key: fc.constant(null), each_key: fc.boolean() }),
  fields({ type, key, each_key: mostly(fc.constant(false), fc.constant(true), 20) }),
);
const paused = fc.oneof(
  fields({ type, key: fc.option(key) }),
  fields({ type: fc.constant(null), key: mostly<string | null>(fc.constant(null), key, 10) }),
);

const verbs: { [V in Exclude<Verb, "drain">]: [weight: number, fc.Arbitrary<Drawn[V]>] } = {
  enqueue: [12, fields({ tasks: fc.array(task, { minLength: 1, maxLength: 4 }) })],
  claim: [13, fields(claim)],
  settle: [9, fields(settlement)],
  reap: [1, fields({})],
  release: [1, fields({ worker })],
  cancel: [2, fields({ ids: fc.array(nth, { maxLength: 3 }) })],
  retry: [2, fields({ ids: fc.array(nth, { maxLength: 4 }) })],
  cancel_where: [1, fields(bulk(["pending", "processing"]))],
  retry_where: [2, fields(bulk(["failed", "cancelled"]))],
  reprioritize_where: [2, fields({ ...bulk(["pending"]), priority })],
  set_limit: [
    4,
    fc.tuple(gate, fc.constantFrom(1, 2, 3)).map(([gate, limit]) => ({ ...gate, limit })),
  ],
  remove_limit: [2, gate],
  pause: [2, paused],
  resume: [3, paused],
};

export const gatesCommand: fc.Arbitrary<GatesCommand> = fc.oneof(
  { weight: 9, arbitrary: commandOf(callOf<CallCommand>(verbs)) },
  // Several calls, so it is never one that is cut off.
  { weight: 1, arbitrary: fields({ verb: fc.constant("drain" as const), ...claim }) },
);

// What is meant ------------------------------------------------------------------------------------

/** A call by what there is. The latest lease is number 0, being the one most worth asking about. */
export function meaningOf(command: CallCommand, { ids, grants, now }: Tasks): Call {
  const id = (n: number) => ids[n % ids.length] ?? "00000000-0000-8000-8000-000000000000";
  switch (command.verb) {
    case "enqueue": {
      const tasks = command.tasks.map(({ run_at, ...task }) => ({
        ...task,
        run_at: run_at === undefined ? run_at : now + run_at,
      }));
      return { ...command, tasks };
    }
    case "settle": {
      const granted = grants.at(-1 - command.fence % grants.length) ?? { fence: "0", ids: [] };
      const outcomes = command.outcomes.map((outcome) => ({
        ...outcome,
        id: granted.ids[outcome.id] ?? id(outcome.id),
      }));
      return { ...command, fence: granted.fence, outcomes };
    }
    case "cancel":
    case "retry":
      return { ...command, ids: command.ids.map(id) };
    case "cancel_where":
    case "retry_where":
    case "reprioritize_where": {
      const { ids, ...filter } = command.filter;
      return { ...command, filter: ids ? { ...filter, ids: ids.map(id) } : filter } as Call;
    }
    default:
      return command;
  }
}
