import assert from "node:assert/strict";
import { findCluster, freshDatabase } from "../support/database.ts";
import { pidOf } from "../support/locks.ts";

Deno.test("tests run as strictly, and through the pooler, as npm test says", async () => {
  await using db = await freshDatabase();
  const { isolation = "read committed", poolerPort } = findCluster();
  const [{ level }] = await db.as("service_role")`
    select current_setting('transaction_isolation') as level`;
  assert.equal(level, isolation);
  const [one, other] = [await pidOf(db.connect()), await pidOf(db.connect())];
  assert.equal(one === other, poolerPort !== undefined);
});
