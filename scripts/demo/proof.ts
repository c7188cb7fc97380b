import { count, number } from "../numbers.ts";
import { DRAINS } from "../record/record.ts";
import type { Check } from "../screen.ts";
import type { Account } from "./account.ts";

/** What others than the record know. */
export interface Evidence {
  emails: { sent: number; recipients: number; absorbed: number; expected: number };
  /** How many items Dibs's own tables call completed. */
  books: { tasks: number; thoughts: number };
  workers: { started: number; killed: number };
  drainsStarted: number;
  seconds: number;
}

/** What a demonstration proved; the JSON that `npm start -- --json` prints. */
export interface Proof {
  tasks: { enqueued: number; completed: number; lost: number };
  thoughts: { enqueued: number; claimed: number; succeeded: number; lost: number };
  /** Executions, and of how many different items. */
  executions: number;
  items: number;
  double_holds: number;
  emails: { sent: number; recipients: number; absorbed: number };
  workers: {
    started: number;
    killed: number;
    /** What the killed one held, and what became of it. */
    held_tasks: number;
    held_thoughts: number;
    recovered_items: number;
    recovery_seconds: number | null;
  };
  drains: { started: number; completed: number };
  seconds: number;
  ok: boolean;
}

/** Puts the record and the other evidence together. */
export function prove(account: Account, evidence: Evidence): { proof: Proof; checks: Check[] } {
  const tasks = account.progress("tasks");
  const thoughts = account.progress("thoughts");
  const { sent, recipients, absorbed } = evidence.emails;
  const recovery = account.recovery;
  const proof: Proof = {
    tasks: {
      enqueued: tasks.enqueued,
      completed: tasks.completed,
      lost: tasks.enqueued - tasks.completed,
    },
    thoughts: {
      enqueued: thoughts.enqueued,
      claimed: thoughts.begun,
      succeeded: thoughts.completed,
      lost: thoughts.enqueued - thoughts.completed,
    },
    executions: account.executions,
    items: account.distinct,
    double_holds: account.doubleHolds,
    emails: { sent, recipients, absorbed },
    workers: {
      ...evidence.workers,
      held_tasks: recovery?.heldTasks ?? 0,
      held_thoughts: recovery?.heldThoughts ?? 0,
      recovered_items: recovery?.recovered ?? 0,
      recovery_seconds: recovery?.seconds ?? null,
    },
    drains: { started: evidence.drainsStarted, completed: account.completedBy(DRAINS) },
    seconds: evidence.seconds,
    ok: false,
  };
  const checks = check(proof, evidence);
  proof.ok = checks.every(({ passed }) => passed);
  return { proof, checks };
}

function check(proof: Proof, { emails: { expected }, books }: Evidence): Check[] {
  const { tasks, thoughts, emails, workers, drains, executions, items, double_holds } = proof;
  const held = workers.held_tasks + workers.held_thoughts;
  return [
    {
      what: "Tasks completed",
      passed: tasks.lost === 0,
      found: `${number(tasks.completed)} of ${number(tasks.enqueued)}, ${lost(tasks.lost)}`,
    },
    {
      what: "Thoughts enriched",
      passed: thoughts.lost === 0,
      found: `${number(thoughts.succeeded)} of ${number(thoughts.enqueued)}, ${
        lost(thoughts.lost)
      }`,
    },
    {
      what: "Held by two at once",
      passed: double_holds === 0,
      found: `${double_holds === 0 ? "never" : times(double_holds)} in ${
        number(executions)
      } executions of ${number(items)} items`,
    },
    {
      what: "Emails sent",
      passed: emails.sent === expected && emails.recipients === expected,
      found: `${number(emails.sent)} to ${number(emails.recipients)} people${
        emails.absorbed > 0 ? `, ${count(emails.absorbed, "repeat")} absorbed` : ""
      }`,
    },
    {
      what: "Killed in the middle",
      passed: workers.killed === 1 && workers.held_tasks > 0 && workers.held_thoughts > 0,
      found: `${workers.killed} of ${workers.started} workers, holding ${
        count(workers.held_tasks, "task")
      } and ${count(workers.held_thoughts, "thought")}`,
    },
    {
      what: "Recovered from it",
      passed: held > 0 && workers.recovered_items === held,
      found: `${number(workers.recovered_items)} of ${number(held)} items${
        workers.recovery_seconds === null
          ? ""
          : `, all in other hands after ${workers.recovery_seconds.toFixed(1)} s`
      }`,
    },
    {
      what: "Drains from dispatch",
      passed: drains.started > 0 && drains.completed > 0,
      found: `${number(drains.started)}, which did ${count(drains.completed, "item")}`,
    },
    {
      what: "Dibs's own tables",
      passed: books.tasks === tasks.completed && books.thoughts === thoughts.succeeded,
      found: `${count(books.tasks, "task")} completed, ${
        count(books.thoughts, "thought")
      } succeeded`,
    },
  ];
}

function times(value: number): string {
  return count(value, "time");
}

function lost(value: number): string {
  return value === 0 ? "none lost" : `${number(value)} LOST`;
}
