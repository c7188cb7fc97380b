import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { claim, enqueue, settle } from "./tasks.ts";

/** A task that begins an effect. */
export async function begun(sql: Sql, mode = "at_most_once") {
  await enqueue(sql, "mail");
  const [{ fence, id }] = await claim(sql);
  assert.equal(await begin(sql, fence, id, mode), "go");
  return { fence, id };
}

/** A task that failed for good over an effect of an earlier attempt. */
export async function parked(sql: Sql) {
  const { fence, id } = await begun(sql);
  await settle(sql, fence, [{ id, status: "released" }]);
  const [again] = await claim(sql);
  assert.equal(await begin(sql, again.fence, id), "parked");
  await settle(sql, again.fence, [{ id, status: "failed", permanent: true }]);
  return { id };
}

export async function begin(
  sql: Sql,
  fence: string,
  id: string,
  mode = "at_most_once",
  key = "mail",
): Promise<string> {
  const [{ state }] = await sql`
    select effect_begin(${fence}, ${id}, ${key}, ${mode}) ->> 'state' as state`;
  return state;
}

export async function settleEffect(
  sql: Sql,
  id: string,
  happened: boolean,
  result: unknown = null,
  key = "mail",
): Promise<boolean> {
  const [{ again }] = await sql`
    select settle_effect(
      ${id}, ${key}, ${happened}, ${result === null ? null : sql.json(result as never)}) as again`;
  return again;
}

export async function listed(sql: Sql) {
  return [...await sql`select * from parked_effects()`];
}
