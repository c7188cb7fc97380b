import assert from "node:assert/strict";
import { startBenchCluster } from "../../../scripts/bench/cluster.ts";
import { limitsCells } from "../../../scripts/bench/workloads/limits.ts";

const TASKS = 45;

Deno.test("whatever keys and limits tasks have, each of the other keys' is executed once", async (test) => {
  await using cluster = await startBenchCluster();
  const [{ contenders, measure }] = limitsCells({ quick: true, tasks: TASKS });
  for (const contender of contenders) {
    await test.step(contender.name, async () => {
      await using database = await cluster.databaseFor(contender);
      const { executed, overlaps, limited_done } = await measure(contender, database, () => {});
      assert.equal(executed, TASKS);
      assert(limited_done <= TASKS / 20);
      if (contender.name === "dibs_limit_1") assert.equal(overlaps, 0);
    });
  }
});
