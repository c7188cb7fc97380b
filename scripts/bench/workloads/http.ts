import { dibsApi } from "../contenders/dibs_api.ts";
import { dibsDrain } from "../contenders/dibs_drain.ts";
import { dibsFunctions } from "../contenders/dibs_functions.ts";
import { rowsRpc } from "../contenders/rows_rpc.ts";
import { measureDrain } from "../drained.ts";
import type { Cell, Scale } from "../workload.ts";

const WORKERS = 4;
const BATCH = 100;

/** Draining over HTTP, beside a call that only reads as many rows. */
export function httpCells({ quick, tasks = quick ? 12_000 : 40_000 }: Scale): Cell[] {
  return [{
    workload: "http",
    name: `W${WORKERS} b${BATCH}`,
    contenders: quick ? [rowsRpc, dibsDrain] : [rowsRpc, dibsDrain, dibsApi, dibsFunctions],
    async measure(contender, database) {
      const drain = { workers: WORKERS, batch: BATCH, tasks, longestMs: 20_000 };
      return (await measureDrain(contender, database, drain)).figures;
    },
  }];
}
