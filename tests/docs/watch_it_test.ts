import assert from "node:assert/strict";
import { freshDatabase, type TestDatabase } from "../support/database.ts";
import { execute } from "./execute.ts";
import { blocksOf, readDocument } from "./markdown.ts";
import { makeTrouble } from "./trouble.ts";

Deno.test("the queries under Watch it find what went wrong", async () => {
  await using db = await freshDatabase();
  await makeTrouble(db);
  const section = (await readDocument("README.md")).split("\n## Watch it\n")[1].split("\n## ")[0];
  const printed = await Promise.all(blocksOf("README.md", section).slice(0, 3).map(run(db)));
  const [counts, stuck, waiting] = printed;
  assert.match(counts, /^processing\|1$/m);
  assert.match(counts, /^translation\|claimed\|1$/m);
  assert.match(stuck, /\|slow\|dead-1\|02:00:.*\|t$/m);
  assert.match(stuck, /\|translation\|dead-2\|/);
  assert.match(waiting, /^forgotten\|1\|03:00:/m);
  assert.match(waiting, /the Vault has no secret/);

  const rest: string[] = [];
  for (const block of blocksOf("README.md", section).slice(3)) rest.push(await run(db)(block));
  const [failed, byHand, parked] = rest;
  assert.match(failed, /\|send_invoice\|1\|no such customer$/m);
  assert.match(failed, /^1\|failed\|worker-1\|.*\|no such customer$/m);
  assert.match(failed, /\|5\|too long\|/);
  assert.match(parked, /\|card\|/);
  assert.equal(byHand.trim(), "0|0");
  const [slow] = await db.sql`select status from public.tasks where type = 'slow'`;
  const [again] = await db.sql`select status from public.tasks where type = 'send_invoice'`;
  assert.deepEqual([slow.status, again.status], ["pending", "pending"]);
});

function run({ url }: TestDatabase) {
  const args = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url];
  return ({ text }: { text: string }) => execute({ program: "psql", args, cwd: "/" }, text);
}
