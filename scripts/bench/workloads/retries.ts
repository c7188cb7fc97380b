import type { BenchDatabase } from "../cluster.ts";
import { FailOnce } from "../contender.ts";
import { dibs } from "../contenders/dibs.ts";
import { measureDrain } from "../drained.ts";
import type { Cell, Scale } from "../workload.ts";

/** Draining when every second task fails once, beside the same with none that fails. */
export function retriesCells({ quick, tasks = quick ? 4_000 : 40_000 }: Scale): Cell[] {
  return [false, true].map((failing) => ({
    workload: "retries",
    name: failing ? "half fail once" : "none fail",
    contenders: [dibs],
    async measure(contender, database) {
      await retryAtOnce(database);
      const { figures } = await measureDrain(contender, database, {
        workers: 4,
        batch: 100,
        tasks,
        longestMs: 20_000,
        untilAborted: true,
        handle: failing ? everySecondFailsOnce() : undefined,
      });
      return figures;
    },
  }));
}

/** What is measured is the work that failing makes, not the waiting. */
async function retryAtOnce({ superuser }: BenchDatabase): Promise<void> {
  await superuser`
    create or replace function dibs.backoff(p_failures int) returns interval
      language sql volatile set search_path = '' as $$ select interval '0' $$`;
}

function everySecondFailsOnce() {
  // One for all: writing down where each was thrown would take longer than what is measured.
  const failure = new FailOnce();
  const failed = new Set<number>();
  return ({ n }: { n: number }) => {
    if (n % 2 === 0 || failed.has(n)) return;
    failed.add(n);
    throw failure;
  };
}
