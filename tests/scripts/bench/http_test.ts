import assert from "node:assert/strict";
import { startBenchCluster } from "../../../scripts/bench/cluster.ts";
import { type Contender, FailOnce } from "../../../scripts/bench/contender.ts";
import { dibsApi } from "../../../scripts/bench/contenders/dibs_api.ts";
import { dibsDrain } from "../../../scripts/bench/contenders/dibs_drain.ts";
import { dibsFunctions } from "../../../scripts/bench/contenders/dibs_functions.ts";
import { rowsRpc } from "../../../scripts/bench/contenders/rows_rpc.ts";
import { enqueueAll } from "../../../scripts/bench/workload.ts";

const TASKS = 25;
const LONGEST_MS = 20_000;

Deno.test("whoever drains over HTTP executes every task once", async (test) => {
  await using cluster = await startBenchCluster();

  /** Drains, and returns which tasks were executed and how many are left. */
  async function drain(contender: Contender, failing?: number) {
    await using database = await cluster.databaseFor(contender);
    await using queue = await contender.open(database);
    await enqueueAll(queue, TASKS);
    const executed: number[] = [];
    await queue.drain({
      workers: 2,
      batch: 10,
      signal: AbortSignal.timeout(LONGEST_MS),
      execute({ n }) {
        executed.push(n);
        if (n === failing) throw new FailOnce();
      },
    });
    return { executed: executed.sort((a, b) => a - b), left: await queue.left() };
  }

  const all = Array.from({ length: TASKS }, (_, n) => n);
  for (const contender of [rowsRpc, dibsDrain, dibsApi, dibsFunctions]) {
    await test.step(contender.name, async () => {
      assert.deepEqual(await drain(contender), { executed: all, left: 0 });
    });
  }
  for (const contender of [dibsDrain, dibsApi, dibsFunctions]) {
    await test.step(`${contender.name}, and one that fails is left for later`, async () => {
      assert.deepEqual(await drain(contender, 7), { executed: all, left: 1 });
    });
  }
});
