import type { GrantedTask, GrantedThought } from "../../functions/_shared/schemas.ts";
import type { Random } from "./random.ts";

/** What becomes of an item when it is executed. */
export type Behaviour =
  | "works"
  | "takes_long"
  | "fails_once"
  | "always_fails"
  | "fails_permanently"
  | "posts"
  | Mailing;

/** Sends an email, through a provider that drops repeats of an idempotency key or one that does not. */
export type Mailing = "mails_with_key" | "mails_without_key";

/** A task as it is enqueued. */
export interface NewTask {
  type: string;
  payload: { name: string; behaviour: Behaviour; canary: string };
  priority: number;
  max_attempts: number;
  unique_key?: string;
}

/** A thought as it is inserted. Its content is its behaviour. */
export interface NewThought {
  id: string;
  content: Behaviour;
}

/** Some work that is handed over together. */
export interface Wave {
  bulk: NewTask[];
  singles: NewTask[];
  /** Enqueued in a transaction that commits only a while later. */
  late: NewTask[];
  thoughts: NewThought[];
}

/** The first of them is the one that drains know. */
export const TASK_TYPES = ["chaos_import", "chaos_render", "chaos_notify"];
export const MAIL_TYPE = "chaos_mail";
/** Writes into the database, in the transaction that completes it. */
export const POSTING_TYPE = "chaos_posting";
export const WORK_TYPE = "chaos_reading";
/** The worker loop claims thoughts with as many. */
export const THOUGHT_ATTEMPTS = 5;
/** In every payload, so that it is noticed where no payload may be. */
export const CANARY = "canary-5d1f0c7e";

const PRIORITIES = [0, 0, 5, -5];
const TASKS_PER_WAVE = 200;
const SINGLES_PER_WAVE = 2;
const LATE_PER_WAVE = 10;
/** Of each hundred tasks. */
const MAILS_PERCENT = 2;
const POSTINGS_PERCENT = 1;

/** The name under which the record and the history know an item. */
export const nameOf = {
  task: ({ payload }: Pick<GrantedTask, "payload">) => (payload as NewTask["payload"]).name,
  thought: ({ id }: Pick<GrantedThought, "id">) => id,
};

/** Makes up work, with a bit of everything in each wave. */
export function* makeWaves(
  amount: { tasks: number; thoughts: number },
  random: Random,
): Iterable<Wave> {
  const count = Math.ceil(amount.tasks / TASKS_PER_WAVE);
  for (let wave = 0; wave < count; wave++) {
    const first = wave * TASKS_PER_WAVE;
    const last = Math.min(first + TASKS_PER_WAVE, amount.tasks);
    const tasks = Array.from({ length: last - first }, (_, n) => newTask(first + n, random));
    const thoughts = Math.floor(amount.thoughts * (wave + 1) / count) -
      Math.floor(amount.thoughts * wave / count);
    yield {
      singles: tasks.splice(0, SINGLES_PER_WAVE),
      late: tasks.splice(0, LATE_PER_WAVE),
      bulk: tasks,
      thoughts: Array.from({ length: thoughts }, () => newThought(random)),
    };
  }
}

function newTask(number: number, random: Random): NewTask {
  const name = `task-${number}`;
  const { type, behaviour } = newKind(random);
  return {
    type,
    payload: { name, behaviour, canary: CANARY },
    priority: random.pick(PRIORITIES),
    max_attempts: behaviour === "always_fails" ? 2 : 5,
    ...number % 10 === 0 ? { unique_key: name } : {},
  };
}

function newKind(random: Random): { type: string; behaviour: Behaviour } {
  const dice = random.between(0, 100);
  if (dice < POSTINGS_PERCENT) return { type: POSTING_TYPE, behaviour: "posts" };
  if (dice < POSTINGS_PERCENT + MAILS_PERCENT) {
    const behaviour = random.pick<Mailing>(["mails_with_key", "mails_without_key"]);
    return { type: MAIL_TYPE, behaviour };
  }
  const ways: Behaviour[] = ["fails_once", "takes_long", "always_fails", "fails_permanently"];
  return { type: random.pick(TASK_TYPES), behaviour: newBehaviour(random, ways) };
}

/** None that always fails: the backoff before a fifth attempt would be longer than all the rest. */
function newThought(random: Random): NewThought {
  return {
    id: crypto.randomUUID(),
    content: newBehaviour(random, ["fails_once", "takes_long", "fails_permanently"]),
  };
}

/** A few percent are special, the first of these ways mostly. */
function newBehaviour(random: Random, ways: Behaviour[]): Behaviour {
  const dice = random.between(0, 100);
  if (dice < 3) return ways[0];
  return ways[Math.floor(dice - 2)] ?? "works";
}
