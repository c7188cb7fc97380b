import type { GrantedTask, GrantedThought } from "../../functions/_shared/schemas.ts";
import { enrichment, generateCarePlan } from "../../functions/handlers/index.ts";
import { billSession, planNextSession } from "./handlers.ts";

/** How much there is to do, and in how many waves it comes. */
export interface Amount {
  carePlans: number;
  otherTasks: number;
  thoughts: number;
  waves: number;
}

/** A task as it is enqueued. */
export interface NewTask {
  type: string;
  payload: { session_id: string };
}

/** A thought as it is inserted. */
export interface NewThought {
  id: string;
  content: string;
}

/** Work of one run, told apart from every other run's by names of its own. */
export interface Workload {
  /** Each in waves that are enqueued together. */
  tasks: NewTask[][];
  thoughts: NewThought[][];
  /** How many people get an email. */
  recipients: number;
  /** Whether an email went to one of them. */
  isRecipient(address: string): boolean;
}

/** The work done on thoughts. */
export const WORK_TYPE = enrichment.workType;
const SMALL_TYPES = [billSession.type, planNextSession.type];

/** The name under which the record knows an item: the enqueuer's own, never one Dibs gave. */
export const nameOf = {
  task: ({ type, payload }: Pick<GrantedTask, "type" | "payload">) =>
    `${type}:${(payload as { session_id?: string }).session_id}`,
  thought: ({ id }: Pick<GrantedThought, "id">) => id,
};

/** Makes up work, with a bit of everything in each wave. */
export function makeWorkload({ carePlans, otherTasks, thoughts, waves }: Amount): Workload {
  const run = crypto.randomUUID().slice(0, 8);
  const domain = `${run}.demo.example`;
  const session = (number: number) => `${run}-${String(number).padStart(4, "0")}`;
  const plan = (number: number) => ({
    type: generateCarePlan.type,
    payload: {
      session_id: session(number),
      email: `client-${number}@${domain}`,
      transcript: sentences(number, 6),
      blueprint_id: "demo",
      host_url: "https://plans.demo.example",
    },
  });
  const small = (number: number) => ({
    type: SMALL_TYPES[number % SMALL_TYPES.length],
    payload: { session_id: session(number), minutes: 15 + number % 60 },
  });
  const thought = (number: number) => ({
    id: crypto.randomUUID(),
    content: sentences(number, 3),
  });
  const numbers = [...Array(waves).keys()];
  return {
    tasks: numbers.map((wave) => [
      ...share(carePlans, wave, waves).map(plan),
      ...share(otherTasks, wave, waves).map(small),
    ]),
    thoughts: numbers.map((wave) => share(thoughts, wave, waves).map(thought)),
    recipients: carePlans,
    isRecipient: (address) => address.endsWith(`@${domain}`),
  };
}

/** Of so many numbers, those that belong to a wave. */
function share(amount: number, wave: number, waves: number): number[] {
  return [...Array(amount).keys()].filter((number) => number % waves === wave);
}

const SENTENCES = [
  "I lie awake until three and feel tired all day.",
  "My knee hurts when I climb the stairs.",
  "At work the stress has eased since we changed the shifts.",
  "I walk to the lake every evening now.",
  "The new tablets make my mouth dry.",
  "We cook together on Sundays, and my appetite is back.",
  "I worry less about my mother than in spring.",
  "Remember to ask about the exercise group.",
  "The garden gives me something to look forward to.",
  "Reading before bed helps more than the phone did.",
  "My brother called, and we talked for an hour.",
];

/** Some sentences, others for each number. */
function sentences(number: number, count: number): string {
  const at = (n: number) => SENTENCES[(number * 7 + n * (1 + number % 5)) % SENTENCES.length];
  return Array.from({ length: count }, (_, n) => at(n)).join(" ");
}
