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
  payload: {
    name: string;
    behaviour: Behaviour;
    canary: string;
    /** As the task has it, for the history. */
    key?: string;
    order_key?: string;
  };
  priority: number;
  max_attempts: number;
  unique_key?: string;
  key?: string;
  order_key?: string;
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
/** All that have a key or an order key are of this one. */
export const GATED_TYPE = TASK_TYPES[1];
export const MAIL_TYPE = "chaos_mail";
/** Writes into the database, in the transaction that completes it. */
export const POSTING_TYPE = "chaos_posting";
export const WORK_TYPE = "chaos_reading";
/** The worker loop claims thoughts with as many. */
export const THOUGHT_ATTEMPTS = 5;
/** In every payload, so that it is noticed where no payload may be. */
export const CANARY = "canary-5d1f0c7e";

/** So many tasks of a key may run at once, and of that one. */
export const EACH_KEY_MOST = 2;
export const NARROW_KEY = "narrow";
export const NARROW_MOST = 1;

const PRIORITIES = [0, 0, 5, -5];
const TASKS_PER_WAVE = 200;
const SINGLES_PER_WAVE = 2;
const LATE_PER_WAVE = 10;
/** Of so many tasks one has the key of its wave, and of so many more one that all waves share. */
const TASKS_PER_KEYED = 40;
const TASKS_PER_NARROW = 1_000;
/** Of so many groups that follow each other one has an order key. */
const GROUP = 5;
const GROUPS_PER_ORDERED = 40;
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
      // What shares an order key is enqueued together, or one call after the other.
      late: tasks.splice(-LATE_PER_WAVE),
      singles: tasks.splice(-SINGLES_PER_WAVE),
      bulk: tasks,
      thoughts: Array.from({ length: thoughts }, () => newThought(random)),
    };
  }
}

function newTask(number: number, random: Random): NewTask {
  const name = `task-${number}`;
  const keys = newKeys(number);
  const { type, behaviour } = newKind(random, keys ? GATED_TYPE : undefined);
  return {
    type,
    payload: { name, behaviour, canary: CANARY, ...keys },
    priority: random.pick(PRIORITIES),
    max_attempts: behaviour === "always_fails" ? 2 : 5,
    ...keys ?? (number % 10 === 0 ? { unique_key: name } : {}),
  };
}

/** The key or the order key of a task, if it has one. */
function newKeys(number: number): Pick<NewTask, "key" | "order_key"> | null {
  const [wave, group] = [Math.floor(number / TASKS_PER_WAVE), Math.floor(number / GROUP)];
  if (group % GROUPS_PER_ORDERED === 7) return { order_key: `order-${group}` };
  if (number % TASKS_PER_NARROW === 1) return { key: NARROW_KEY };
  if (number % TASKS_PER_KEYED === 1) return { key: `key-${wave}` };
  return null;
}

/** Of this type of ordinary work, or of any. */
function newKind(random: Random, ofType?: string): { type: string; behaviour: Behaviour } {
  const dice = random.between(0, 100);
  if (!ofType && dice < POSTINGS_PERCENT) return { type: POSTING_TYPE, behaviour: "posts" };
  if (!ofType && dice < POSTINGS_PERCENT + MAILS_PERCENT) {
    const behaviour = random.pick<Mailing>(["mails_with_key", "mails_without_key"]);
    return { type: MAIL_TYPE, behaviour };
  }
  const ways: Behaviour[] = ["fails_once", "takes_long", "always_fails", "fails_permanently"];
  return { type: ofType ?? random.pick(TASK_TYPES), behaviour: newBehaviour(random, ways) };
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
