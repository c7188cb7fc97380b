import fc from "fast-check";
import { callOf, type Command, commandOf, fields, mostly } from "../commands.ts";
import type { Call, Calls, Changes, NewTask, Verb, Where } from "./calls.ts";
import type { Tasks } from "./state.ts";

/** Calls as they are drawn: so many copies of a task, and moments from now. */
interface Drawn extends Omit<Calls<number, number>, "enqueue"> {
  enqueue: { tasks: (NewTask & { copies: number })[]; request: string | null };
}
export type CallCommand = { [V in Verb]: { verb: V } & Drawn[V] }[Verb];
export type TaskCommand = Command<CallCommand>;

// What is drawn ------------------------------------------------------------------------------------

const nth = fc.nat({ max: 11 });
const worker = fc.constantFrom("ada", "bob");
const seconds = mostly(fc.constantFrom(1, 2, 60), fc.constant(0), 50);
const request = mostly(fc.constant(null), fc.constantFrom("r1", "r2", "r3"), 6);

const task = {
  type: mostly(fc.constantFrom("a", "b"), fc.constant(""), 100),
  priority: mostly(fc.constant(0), fc.constantFrom(-1, 1), 4),
  run_at: mostly(fc.constant(null), fc.constantFrom(500, 2000, 10_000, -1000), 6),
  max_attempts: mostly(fc.constantFrom(1, 2, 5), fc.constant(0), 100),
  unique_key: mostly(fc.constant(null), fc.constantFrom("k1", "k2"), 5),
};
const copies = fc.oneof(
  { weight: 40, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 3, arbitrary: fc.integer({ min: 7, max: 30 }) },
  // More than go on a page.
  { weight: 1, arbitrary: fc.integer({ min: 98, max: 130 }) },
);
const tasks = mostly(
  fc.array(fields({ ...task, copies: fc.constant(1) }), { maxLength: 4 }),
  fc.tuple(fields({ ...task, copies })),
  2,
);

const claim = {
  worker,
  types: mostly<string[] | null>(
    fc.constantFrom(null, null, null, ["a"], ["b"], ["a", "b"]),
    fc.constant([]),
    50,
  ),
  limit: mostly(fc.constantFrom(1, 2, 3, 5, 20), fc.constantFrom(0, 120), 20),
  seconds,
};

const named = mostly(fc.nat({ max: 2 }), nth, 4);
const failed = fields(
  { id: named, status: fc.constant("failed") },
  {
    error: fc.constantFrom("broken", "late"),
    permanent: mostly(fc.constant(false), fc.constant(true), 4),
  },
);
const outcome = fc.oneof(
  fields({ id: named, status: fc.constant("succeeded") }, { result: fc.nat({ max: 9 }) }),
  failed,
  failed,
  fields({ id: named, status: fc.constant("released") }),
);
const rest = fc.constantFrom(null, null, "succeeded", "failed", "failed", "released");
const settlement = {
  fence: mostly(fc.nat({ max: 1 }), nth, 4),
  outcomes: mostly(
    fc.uniqueArray(outcome, { maxLength: 4, selector: ({ id }) => id }),
    fc.array(outcome, { maxLength: 2 }),
    20,
  ),
  rest: mostly<string | null>(rest, fc.constant("done"), 50),
};

const where = mostly<Where<number>>(
  fields({ id: nth }),
  fields({ status: fc.constantFrom("pending", "processing") }),
  10,
);
const set = fc.constantFrom<Changes[]>(
  { status: "pending", started_at: null },
  { status: "pending", started_at: null },
  { status: "pending", run_at: 1000 },
  { run_at: -3000 },
  { run_at: 3000 },
  { status: "processing" },
  { started_at: -1000 },
  { status: "completed" },
  { status: "completed", completed_at: -2000 },
  { status: "failed", error: "by hand" },
  { status: "failed" },
  { status: "cancelled" },
  { error: "looked at" },
  { status: "done" },
  { type: "c" },
);
const ids = fc.array(nth, { maxLength: 3 });
const progress = fc.option(fields({ id: nth, value: fc.nat({ max: 9 }) }));

const verbs: { [V in Verb]: [weight: number, fc.Arbitrary<Drawn[V]>] } = {
  enqueue: [10, fields({ tasks, request })],
  create: [3, fields({ task: fields(task), by: fc.constantFrom("create_task", "insert") })],
  claim: [12, fields({ ...claim, request })],
  claim_one: [1, fields({})],
  renew: [3, fields({ fence: settlement.fence, seconds, progress })],
  settle: [10, fields({ ...settlement, request })],
  settle_and_claim: [5, fields({ ...settlement, ...claim, request })],
  reap: [2, fields({})],
  release: [2, fields({ worker: mostly(worker, fc.constant(""), 50) })],
  cancel: [2, fields({ ids })],
  retry: [3, fields({ ids })],
  prune: [1, fields({ seconds: fc.constantFrom(0, 1, 10, 100, -1) })],
  history: [1, fields({ id: nth })],
  update: [3, fields({ where, set })],
  delete: [1, fields({ where })],
};

export const taskCommand: fc.Arbitrary<TaskCommand> = commandOf(callOf<CallCommand>(verbs));

// What is meant ------------------------------------------------------------------------------------

/** A call by what there is. The latest lease is number 0, being the one most worth asking about. */
export function meaningOf(command: CallCommand, { ids, grants, now }: Tasks): Call {
  const id = (n: number) => ids[n % ids.length] ?? "00000000-0000-8000-8000-000000000000";
  const at = <T extends number | null>(ms: T) => ms === null ? null : now + ms;
  const grant = (n: number) => grants.at(-1 - n % grants.length) ?? { fence: "0", ids: [] };
  const where = (where: Where<number>) => "id" in where ? { id: id(where.id) } : where;
  const settlement = ({ fence, outcomes }: Drawn["settle"] | Drawn["settle_and_claim"]) => {
    const granted = grant(fence);
    const named = outcomes.map((outcome) => ({
      ...outcome,
      id: granted.ids[outcome.id] ?? id(outcome.id),
    }));
    return { fence: granted.fence, outcomes: named };
  };

  switch (command.verb) {
    case "enqueue": {
      const tasks = command.tasks.flatMap(({ copies, ...task }) =>
        Array.from({ length: copies }, () => ({ ...task, run_at: at(task.run_at) }))
      );
      return { ...command, tasks };
    }
    case "create":
      return { ...command, task: { ...command.task, run_at: at(command.task.run_at) } };
    case "renew": {
      const progress = command.progress && { ...command.progress, id: id(command.progress.id) };
      return { ...command, fence: grant(command.fence).fence, progress };
    }
    case "settle":
      return { ...command, ...settlement(command) };
    case "settle_and_claim":
      return { ...command, ...settlement(command) };
    case "cancel":
    case "retry":
      return { ...command, ids: command.ids.map(id) };
    case "history":
      return { ...command, id: id(command.id) };
    case "update": {
      const set = Object.entries(command.set).map(([column, value]) =>
        column.endsWith("_at") ? [column, at(value)] : [column, value]
      );
      return { ...command, where: where(command.where), set: Object.fromEntries(set) };
    }
    case "delete":
      return { ...command, where: where(command.where) };
    default:
      return command;
  }
}
