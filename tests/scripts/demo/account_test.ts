import { deepStrictEqual as equal } from "node:assert";
import { Account } from "../../../scripts/demo/account.ts";
import { type Evidence, prove } from "../../../scripts/demo/proof.ts";
import { DRAINS, type Entry } from "../../../scripts/record/record.ts";

const began = (execution: string, item: string, by = "worker-1"): Entry => ({
  kind: "began",
  execution,
  item,
  by,
  attempt: 1,
});
const ended = (execution: string, succeeded = true): Entry => ({
  kind: "ended",
  execution,
  succeeded,
});
const granted = (by: string, surface: "tasks" | "thoughts", items: string[]): Entry => ({
  kind: "granted",
  surface,
  by,
  fence: "1",
  items,
  limit: 1,
  asked: 0,
  leaseMs: 1000,
});

/** Two tasks and two thoughts; worker-1 is killed while it holds one of each, drains and worker-2 go on. */
const GOOD: Entry[] = [
  { kind: "enqueued", surface: "tasks", items: ["a", "b"] },
  { kind: "enqueued", surface: "thoughts", items: ["x", "y"] },
  granted("worker-1", "tasks", ["a"]),
  granted("worker-1", "thoughts", ["x"]),
  began("1", "a"),
  began("2", "b", DRAINS),
  ended("2"),
  { kind: "killed", by: "worker-1" },
  began("3", "a", "worker-2"),
  began("4", "x", "worker-2"),
  ended("3"),
  ended("4"),
  began("5", "y", "worker-2"),
  ended("5"),
];

const EVIDENCE: Evidence = {
  emails: { sent: 1, recipients: 1, absorbed: 0, expected: 1 },
  books: { tasks: 2, thoughts: 2 },
  workers: { started: 2, killed: 1 },
  drainsStarted: 1,
  seconds: 1,
};

function proofOf(entries: Entry[], evidence = EVIDENCE) {
  const account = new Account();
  entries.forEach((entry, n) => account.add({ ...entry, at: n * 1000 }));
  return prove(account, evidence);
}

/** What the checks that did not pass are about. */
function failures(entries: Entry[], evidence = EVIDENCE): string[] {
  const { proof, checks } = proofOf(entries, evidence);
  const failed = checks.filter(({ passed }) => !passed).map(({ what }) => what);
  equal(proof.ok, failed.length === 0);
  return failed;
}

Deno.test("a run in which nothing went wrong is proven", () => {
  equal(failures(GOOD), []);
  const { tasks, thoughts, double_holds, executions, items, workers, drains } = proofOf(GOOD).proof;
  equal(tasks, { enqueued: 2, completed: 2, lost: 0 });
  equal(thoughts, { enqueued: 2, claimed: 2, succeeded: 2, lost: 0 });
  equal({ double_holds, executions, items }, { double_holds: 0, executions: 5, items: 4 });
  equal(workers, {
    started: 2,
    killed: 1,
    held_tasks: 1,
    held_thoughts: 1,
    recovered_items: 2,
    recovery_seconds: 2,
  });
  equal(drains, { started: 1, completed: 1 });
});

Deno.test("an item that two living workers have at once is a double hold", () => {
  const stolen = GOOD.toSpliced(6, 0, began("9", "b", "worker-2"), ended("9"));
  equal(failures(stolen), ["Held by two at once"]);
});

Deno.test("an item that is done again after its first execution ended is none", () => {
  equal(failures([...GOOD, began("9", "y", DRAINS), ended("9")]), []);
});

Deno.test("an item that somebody else has before its holder is killed is a double hold", () => {
  const early = GOOD.toSpliced(7, 0, began("9", "a", DRAINS), ended("9"));
  equal(failures(early), ["Held by two at once"]);
});

Deno.test("a task that nobody completed is lost", () => {
  const lost = GOOD.filter((entry) => !(entry.kind === "ended" && entry.execution === "2"));
  equal(failures(lost), ["Tasks completed", "Drains from dispatch", "Dibs's own tables"]);
  equal(proofOf(lost).proof.tasks.lost, 1);
});

Deno.test("a thought that was only tried is lost", () => {
  const failed = GOOD.map((entry) => entry === GOOD.at(-1) ? ended("5", false) : entry);
  equal(failures(failed), ["Thoughts enriched", "Dibs's own tables"]);
});

Deno.test("what the killed worker held and nobody did after it is not recovered", () => {
  // It had done the thought before, so that it is not lost, and had not settled it.
  const unrecovered = GOOD.filter((entry) => !("execution" in entry && entry.execution === "4"))
    .toSpliced(5, 0, began("9", "x"), ended("9"));
  equal(failures(unrecovered), ["Recovered from it"]);
  equal(proofOf(unrecovered).proof.workers.recovered_items, 1);
});

Deno.test("what was on its way to be settled was not held any more", () => {
  const settled = GOOD.toSpliced(7, 0, began("9", "x"), ended("9"), {
    kind: "settling",
    surface: "thoughts",
    by: "worker-1",
    fence: "1",
    items: ["x"],
  });
  equal(proofOf(settled).proof.workers.held_thoughts, 0);
});

Deno.test("a kill that never happened proves nothing", () => {
  const peaceful = GOOD.filter(({ kind }) => kind !== "killed" && kind !== "granted")
    .toSpliced(5, 0, ended("1"));
  equal(failures(peaceful, { ...EVIDENCE, workers: { started: 2, killed: 0 } }), [
    "Killed in the middle",
    "Recovered from it",
  ]);
});

Deno.test("emails that are missing, doubled or sent to the same person are noticed", () => {
  for (const [sent, recipients] of [[0, 0], [2, 1], [2, 2]]) {
    const emails = { sent, recipients, absorbed: 0, expected: 1 };
    equal(failures(GOOD, { ...EVIDENCE, emails }), ["Emails sent"]);
  }
});

Deno.test("drains that did nothing are noticed", () => {
  const idle = GOOD.map((entry) => entry.kind === "began" ? { ...entry, by: "worker-2" } : entry);
  equal(failures(idle, { ...EVIDENCE, drainsStarted: 0 }).includes("Drains from dispatch"), true);
});

Deno.test("tables that say something else than the record are noticed", () => {
  equal(failures(GOOD, { ...EVIDENCE, books: { tasks: 1, thoughts: 2 } }), ["Dibs's own tables"]);
});

Deno.test("what an earlier run left over is not counted", () => {
  const others = [began("8", "old", "worker-2"), began("9", "old", DRAINS), ended("8"), ended("9")];
  equal(failures([...GOOD, ...others]), []);
  equal(proofOf([...GOOD, ...others]).proof.executions, 5);
});
