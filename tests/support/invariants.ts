import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { findUnsound } from "../../scripts/chaos/soundness.ts";

/** Fails unless the tables of tasks are sound: what must hold after every transaction. */
export async function assertInvariants(sql: Sql): Promise<void> {
  assert.deepEqual(await findUnsound(sql), []);
}
