import assert from "node:assert/strict";
import { GROUPS } from "../../scripts/doctor/checks.ts";
import { freshDatabase } from "../support/database.ts";
import { execute } from "./execute.ts";
import { anchorsOf, blocksOf, readDocument } from "./markdown.ts";
import { makeTrouble } from "./trouble.ts";

const FILE = "docs/operations.md";
const text = await readDocument(FILE);

Deno.test("the runbook has a section for each finding of the doctor, in its order, and no other", () => {
  const headings = [...section("Runbook").matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
  const ids = GROUPS.flatMap(({ checks }) => checks.map(({ id }) => id));
  assert.deepEqual(headings, ids);
  assert.equal(new Set(anchorsOf(text)).size, anchorsOf(text).length, "two sections of one name");
});

Deno.test("the dashboards and alerts show what goes wrong", async () => {
  await using db = await freshDatabase();
  await makeTrouble(db);
  const args = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", db.url];
  const print = (title: string) =>
    Promise.all(
      blocksOf(FILE, section(title)).map(({ text }) =>
        execute({ program: "psql", args, cwd: "/" }, text)
      ),
    );
  const [metrics, waiting, atWork, failing, dispatches] = await print("Dashboards");
  assert.match(metrics, /^tasks_processing\|1$/m);
  assert.match(metrics, /^expired\|2$/m);
  assert.match(metrics, /^parked_effects\|1$/m);
  assert.match(waiting, /^forgotten\|1\|03:00:/m);
  assert.match(atWork, /^dead-1\|1\|-01:00:/m);
  assert.match(failing, /^send_invoice\|1\|no such customer$/m);
  assert.match(dispatches, /\|planned\|\d+\|/);
  const [alerts] = await print("Alerts");
  assert.deepEqual(alerts.trim().split("\n").map((line) => line.split("|")[0]), [
    "due work waits",
    "nothing ticks",
    "somebody must decide",
  ]);
});

function section(title: string): string {
  return text.split(`\n## ${title}\n`)[1].split("\n## ")[0];
}
