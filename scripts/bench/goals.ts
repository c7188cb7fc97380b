import type { Result } from "./measure.ts";
import { spread } from "./spread.ts";

/** What the bench found about something that Dibs wants to be good at. */
export interface Goal {
  measure: string;
  /** The median of the values that each repeat gave, and how far they spread. */
  value: number;
  min: number;
  max: number;
  reach: number;
  /** Where it is less than `reach`, less is better. */
  beyond: number;
}

/** How far a goal was reached. */
export function verdict({ value, reach, beyond }: Goal): "beyond" | "reached" | "missed" {
  const meets = (goal: number) => beyond > reach ? value >= goal : value <= goal;
  return meets(beyond) ? "beyond" : meets(reach) ? "reached" : "missed";
}

/** The goals that something was measured for. */
export function judge(results: Result[]): Goal[] {
  const cellsOf = (workload: string) =>
    new Set(results.filter((result) => result.workload === workload).map(({ cell }) => cell));
  const repeats = Map.groupBy(results, ({ repeat }) => repeat).values().toArray();
  return define(cellsOf).flatMap(({ value, ...goal }) => {
    const values = repeats.map((results) => value(lookIn(results)))
      .filter((value) => value !== undefined);
    if (values.length === 0) return [];
    const { median, min, max } = spread(values);
    const { measure, reach, beyond } = goal;
    return [{ measure, value: median, min, max, reach, beyond }];
  });
}

/** A figure of one repeat; undefined when it was not measured. */
type Look = (workload: string, cell: string, contender: string, figure: string) =>
  | number
  | undefined;

function lookIn(results: Result[]): Look {
  return (workload, cell, contender, figure) =>
    results.find((result) =>
      result.workload === workload && result.cell === cell && result.contender === contender
    )?.figures[figure];
}

interface Definition extends Pick<Goal, "measure" | "reach" | "beyond"> {
  /** What one repeat gives. */
  value(look: Look): number | undefined;
}

const RATE = "tasks_per_second";
const QUEUES_OF_OTHERS = ["pgq", "graphile_worker", "pg_boss"];

/** The goals. Cells that are larger in the long run than in the quick one are found, not named. */
function define(cellsOf: (workload: string) => Set<string>): Definition[] {
  const backlogs = longest([...cellsOf("backlog")]);
  const [short, long] = cellsOf("scale");
  const [few] = cellsOf("few");
  const [next] = [...cellsOf("next_thoughts")].reverse();
  return [
    {
      measure: "drain W4 b100, enqueued in bulk, against pgmq",
      reach: 2.5,
      beyond: 3.7,
      value: against("pgmq", "drain", "W4 b100"),
    },
    {
      measure: "drain W4 b100, enqueued one by one, against pgmq",
      reach: 1.5,
      beyond: 1.9,
      value: against("pgmq", "drain", "W4 b100", RATE, "dibs_single"),
    },
    {
      measure: "drain W4 b10 against pgmq",
      reach: 1.5,
      beyond: 2,
      value: against("pgmq", "drain", "W4 b10"),
    },
    {
      measure: "drain W4 b1 against the guide",
      reach: 0.9,
      beyond: 1.2,
      value: against("guide", "drain", "W4 b1"),
    },
    {
      measure: "drain W16 b100 against the best of PgQ and the job queues",
      reach: 1,
      beyond: 2,
      value(look) {
        const rates = QUEUES_OF_OTHERS.map((name) => look("drain", "W16 b100", name, RATE))
          .filter((rate) => rate !== undefined);
        if (rates.length === 0) return undefined;
        return ratio(look("drain", "W16 b100", "dibs", RATE), Math.max(...rates));
      },
    },
    {
      measure: "drain W4 b100 against the limit",
      reach: 0.6,
      beyond: 1,
      value: against("limit", "drain", "W4 b100"),
    },
    ...["W4 b100", "W4 b10"].flatMap((cell): Definition[] => [
      {
        measure: `pinned ${cell}: rate in the last tenth against the first`,
        reach: 0.85,
        beyond: 0.95,
        value: (look) => look("pinned", cell, "dibs", "last_tenth_against_first"),
      },
      {
        measure: `pinned ${cell}: rate at the end against pgmq's`,
        reach: 6,
        beyond: 13,
        value: against("pgmq", "pinned", cell, "last_tenth_per_second"),
      },
    ]),
    ...backlogs.flatMap((backlog) =>
      ["b1", "b10", "b100"].flatMap((batch) =>
        ["p50", "p99"].map((part): Definition => ({
          measure: `claim call ${batch} ${part} at ${backlog} against pgmq`,
          reach: 0.5,
          beyond: 0.25,
          value: against("pgmq", "backlog", backlog, `claim_${batch}_${part}_ms`),
        }))
      )
    ),
    ...["b1", "b10", "b100"].map((batch): Definition => ({
      measure: `claim call ${batch} p50 at ${long} against ${short}`,
      reach: 1.5,
      beyond: 1.1,
      value: (look) =>
        ratio(...[long, short].map((cell) => look("scale", cell, "dibs", `claim_${batch}_p50_ms`))),
    })),
    {
      measure: "enqueue, 1,000 a call, against pgmq",
      reach: 0.7,
      beyond: 1.3,
      value: against("pgmq", "enqueue", "1,000 a call"),
    },
    {
      measure: `next thoughts ${next}: rate in the last tenth against the first`,
      reach: 0.85,
      beyond: 0.95,
      value: (look) => look("next_thoughts", next, "dibs", "last_tenth_against_first"),
    },
    {
      measure: `next thoughts ${next}: speed of a call, likewise`,
      reach: 0.85,
      beyond: 0.95,
      value: (look) => look("next_thoughts", next, "dibs", "last_tenth_call_against_first"),
    },
    {
      measure: "settle 100 claims in bulk against one by one",
      reach: 10,
      beyond: 30,
      value: (look) => look("settling", "100 claims", "dibs", "bulk_against_one_by_one"),
    },
    {
      measure: "limits: other keys beside a key with limit 1",
      reach: 0.8,
      beyond: 0.95,
      value: (look) => {
        const [cell] = cellsOf("limits");
        return against("dibs_no_limit", "limits", cell, RATE, "dibs_limit_1")(look);
      },
    },
    {
      measure: "half of the tasks fail once: rate against none failing",
      reach: 0.3,
      beyond: 0.6,
      value: (look) =>
        ratio(
          ...["half fail once", "none fail"].map((cell) => look("retries", cell, "dibs", RATE)),
        ),
    },
    {
      measure: `${few}: time until all are done against the guide`,
      reach: 1.5,
      beyond: 1,
      value: against("guide", "few", few, "until_done_ms"),
    },
    {
      measure: "WAL a task, enqueue to completion, W4 b100, against pgmq",
      reach: 0.7,
      beyond: 0.25,
      value: against("pgmq", "drain", "W4 b100", "wal_bytes_per_task"),
    },
    {
      measure: "drain over HTTP W4 b100 against an RPC that returns the same rows",
      reach: 0.5,
      beyond: 0.8,
      value: against("rows_rpc", "http", "W4 b100", RATE, "dibs_drain"),
    },
  ];
}

/** Cells are named after how long their backlog is; several may be of one length. */
function longest(cells: string[]): string[] {
  const lengthOf = (cell: string) => parseInt(cell.replaceAll(",", ""));
  const length = Math.max(...cells.map(lengthOf));
  return cells.filter((cell) => lengthOf(cell) === length);
}

function against(
  other: string,
  workload: string,
  cell: string,
  figure = RATE,
  contender = "dibs",
): Definition["value"] {
  return (look) =>
    ratio(look(workload, cell, contender, figure), look(workload, cell, other, figure));
}

function ratio(value?: number, base?: number): number | undefined {
  return value === undefined || base === undefined ? undefined : value / base;
}
