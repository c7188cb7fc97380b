import type { Sql } from "postgres";
import { IDS_AT_HAND, LEASES_AT_HAND } from "./bodies.ts";

/** Live leases that requests may name, and ids of what they hold. */
export interface AtHand {
  fences: string[];
  ids: string[];
}

const THOUGHT_LEASES = 4;
const THOUGHTS_EACH = 2;
const TASK_LEASES = LEASES_AT_HAND - THOUGHT_LEASES;
const TASKS_EACH = Math.ceil((IDS_AT_HAND - THOUGHT_LEASES * THOUGHTS_EACH) / TASK_LEASES);

/** Makes the thoughts there are. Not many: each new work type in a request may claim all of them. */
export async function makeThoughts(sql: Sql): Promise<void> {
  await sql`insert into thoughts (content) select 'thought ' || n from generate_series(1, 20) n`;
}

/** Makes new leases, and work that waits, so that there is something to claim, renew and settle. */
export async function restock(sql: Sql): Promise<AtHand> {
  const tasks = [
    ...Array(TASKS_EACH * TASK_LEASES).fill({ type: "stocked" }),
    // One of the examples in the schema, so that claims ask for it and drains work on it.
    ...Array(4).fill({ type: "generate_care_plan" }),
  ];
  await sql`select from enqueue_tasks(${sql.json(tasks)})`;
  const grants = [];
  for (let n = 0; n < TASK_LEASES; n++) {
    grants.push(await sql`select fence, id from claim_tasks('stock', '{stocked}', ${TASKS_EACH})`);
  }
  for (let n = 0; n < THOUGHT_LEASES; n++) {
    grants.push(
      await sql`
      select fence, thought_id as id
      from claim_next_thoughts(${`stocked ${crypto.randomUUID()}`}, 'stock', ${THOUGHTS_EACH})`,
    );
  }
  return {
    fences: grants.map(([{ fence }]) => fence),
    ids: grants.flatMap((grant) => grant.map(({ id }) => id)),
  };
}
