import type { GrantedTask, GrantedThought } from "../../functions/_shared/schemas.ts";
import type { Random } from "./random.ts";

/** What becomes of an item when it is executed. */
export type Behaviour =
  | "works"
  | "takes_long"
  | "fails_once"
  | "always_fails"
  | "fails_permanently";

/** A task as it is enqueued. */
export interface NewTask {
  type: string;
  payload: { name: string; behaviour: Behaviour };
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
  thoughts: NewThought[];
}

export const TASK_TYPES = ["chaos_import", "chaos_render", "chaos_notify"];
export const WORK_TYPE = "chaos_reading";
/** The worker loop claims thoughts with as many. */
export const THOUGHT_ATTEMPTS = 5;

const PRIORITIES = [0, 0, 5, -5];
const TASKS_PER_WAVE = 100;
const SINGLES_PER_WAVE = 8;

/** The name under which the record and the history know an item. */
export const nameOf = {
  task: ({ payload }: Pick<GrantedTask, "payload">) => (payload as NewTask["payload"]).name,
  thought: ({ id }: Pick<GrantedThought, "id">) => id,
};

/** Makes up work, with a bit of everything in each wave. */
export function makeWaves(amount: { tasks: number; thoughts: number }, random: Random): Wave[] {
  const count = Math.ceil(amount.tasks / TASKS_PER_WAVE);
  return Array.from({ length: count }, (_, wave) => {
    const first = wave * TASKS_PER_WAVE;
    const last = Math.min(first + TASKS_PER_WAVE, amount.tasks);
    const tasks = Array.from({ length: last - first }, (_, n) => newTask(first + n, random));
    const thoughts = Math.floor(amount.thoughts * (wave + 1) / count) -
      Math.floor(amount.thoughts * wave / count);
    return {
      singles: tasks.splice(0, SINGLES_PER_WAVE),
      bulk: tasks,
      thoughts: Array.from({ length: thoughts }, () => newThought(random)),
    };
  });
}

function newTask(number: number, random: Random): NewTask {
  const name = `task-${number}`;
  const behaviour = newBehaviour(random, [
    "fails_once",
    "takes_long",
    "always_fails",
    "fails_permanently",
  ]);
  return {
    type: random.pick(TASK_TYPES),
    payload: { name, behaviour },
    priority: random.pick(PRIORITIES),
    max_attempts: behaviour === "always_fails" ? 2 : 5,
    ...number % 10 === 0 ? { unique_key: name } : {},
  };
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
