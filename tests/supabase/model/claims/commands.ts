import fc from "fast-check";
import { callOf, type Command, commandOf, fields, mostly } from "../commands.ts";
import type { Call, Calls, Verb } from "./calls.ts";
import type { Claims } from "./state.ts";

export type CallCommand = { [V in Verb]: { verb: V } & Calls<number, number>[V] }[Verb];
export type ClaimCommand = Command<CallCommand>;

// What is drawn ------------------------------------------------------------------------------------

const nth = fc.nat({ max: 5 });
const worker = fc.constantFrom("ada", "bob");
const work = mostly(fc.constant("embedding"), fc.constant("enrichment"), 4);
const request = mostly(fc.constant(null), fc.constantFrom("r1", "r2", "r3"), 6);

const claim = {
  work: mostly(work, fc.constant(""), 100),
  worker: mostly(worker, fc.constant(""), 100),
  seconds: mostly(fc.constantFrom(1, 2, 60), fc.constant(0), 50),
};
const ids = fc.array(mostly<number | null>(nth, fc.constant(null), 20), { maxLength: 6 });
const limits = {
  max_attempts: mostly(fc.constantFrom(1, 2, 3), fc.constant(0), 50),
  request,
};
const next = {
  ...claim,
  ...limits,
  limit: mostly(fc.constantFrom(1, 2, 3, 10), fc.constant(0), 50),
};

const named = mostly(fc.nat({ max: 2 }), nth, 4);
const metadata = fc.constantFrom({ language: "en" }, { language: "de", words: 3 });
const failed = fields(
  { id: named, status: fc.constant("failed") },
  {
    error: fc.constantFrom("broken", "late"),
    permanent: mostly(fc.constant(false), fc.constant(true), 4),
  },
);
const outcome = fc.oneof(
  fields({ id: named, status: fc.constant("succeeded") }, { metadata }),
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

const paused = mostly<string | null>(claim.work, fc.constant(null), 3);
const status = mostly(fc.constantFrom("succeeded", "failed"), fc.constant("released"), 20);
const error = fc.constantFrom(null, "broken");
const content = fc.constantFrom("new", "old");
const statuses = mostly<string[]>(
  fc.constantFrom(["succeeded"], ["failed"], ["succeeded", "failed"]),
  fc.constant(["claimed"]),
  4,
);

const verbs: { [V in Verb]: [weight: number, fc.Arbitrary<Calls<number, number>[V]>] } = {
  claim: [8, fields({ ...claim, ids })],
  claim_named: [7, fields({ ...claim, ...limits, ids })],
  claim_next: [7, fields(next)],
  renew: [3, fields({ fence: settlement.fence, seconds: claim.seconds })],
  settle: [10, fields({ ...settlement, request })],
  settle_and_claim: [4, fields({ ...settlement, ...next })],
  release: [3, fields({ id: nth, work, worker, status, error })],
  release_all: [2, fields({ work: mostly<string | null>(work, fc.constant(null), 3), worker })],
  reap: [2, fields({ work: mostly<string | null>(work, fc.constant(null), 2) })],
  retry: [2, fields({ work, ids: fc.option(fc.array(nth, { maxLength: 3 })) })],
  quarantined: [1, fields({ work })],
  set_limit: [2, fields({ work: claim.work, limit: fc.constantFrom(1, 2, 3) })],
  remove_limit: [1, fields({ work: claim.work })],
  pause: [1, fields({ work: paused })],
  resume: [2, fields({ work: paused })],
  insert_thought: [1, fields({ content })],
  edit_thought: [1, fields({ id: nth, content })],
  delete_thought: [2, fields({ id: nth })],
  insert_claim: [3, fields({ id: nth, work, worker, seconds: fc.constantFrom(1, 60) })],
  delete_claims: [2, fields({ work, statuses })],
};

export const claimCommand: fc.Arbitrary<ClaimCommand> = commandOf(callOf<CallCommand>(verbs));

// What is meant ------------------------------------------------------------------------------------

/** A call by what there is. The latest lease is number 0, being the one most worth asking about. */
export function meaningOf(command: CallCommand, { ids, grants }: Claims): Call {
  const id = <T extends number | null>(n: T) => n === null ? null : ids[n % ids.length];
  const grant = (n: number) => grants.at(-1 - n % grants.length) ?? { fence: "0", ids: [] };
  const settlement = ({ fence, outcomes }: { fence: number; outcomes: Outcomes }) => {
    const granted = grant(fence);
    const named = outcomes.map((outcome) => ({
      ...outcome,
      id: granted.ids[outcome.id] ?? ids[outcome.id % ids.length],
    }));
    return { fence: granted.fence, outcomes: named };
  };

  switch (command.verb) {
    case "claim":
      return { ...command, ids: command.ids.map(id) };
    case "claim_named":
      return { ...command, ids: command.ids.map(id) };
    case "renew":
      return { ...command, fence: grant(command.fence).fence };
    case "settle":
      return { ...command, ...settlement(command) };
    case "settle_and_claim":
      return { ...command, ...settlement(command) };
    case "retry":
      return { ...command, ids: command.ids?.map((n) => ids[n % ids.length]) ?? null };
    case "release":
    case "edit_thought":
    case "delete_thought":
    case "insert_claim":
      return { ...command, id: ids[command.id % ids.length] } as Call;
    default:
      return command;
  }
}

type Outcomes = Calls<number, number>["settle"]["outcomes"];
