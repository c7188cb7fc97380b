import { scaleLinear } from "d3-scale";
import type { Spread } from "../spread.ts";
import { nameOf, toneOf } from "./contender_names.ts";
import { BODY_WIDTH, type Drawing } from "./frame.tsx";
import type { Kept } from "./kept.ts";
import { round } from "./round.ts";
import { range, short } from "./values.ts";

const PANELS = [
  { cell: "W4 b100", title: "100 at a time" },
  { cell: "W4 b1", title: "1 at a time" },
];
/** From the left to the right these fill the body. */
const NAMES_WIDTH = 146;
const PANEL_WIDTH = 113;
const GAP = BODY_WIDTH - NAMES_WIDTH - PANELS.length * PANEL_WIDTH;
/** For the value at the end of the longest bar. */
const VALUE_WIDTH = 30;
const HEAD = 24;
const ROW = 25;
const BAR = 13;

/** A row of bars: a contender, and its rate against pgmq in each panel where it took part. */
interface Row {
  contender: string;
  ratios: (Spread | undefined)[];
}

/** How fast everybody drains a backlog, as bars. */
export function drawDrain(kept: Kept): Drawing {
  const rows = rowsOf(kept);
  const dibs = kept.spread("drain", PANELS[0].cell, "dibs", "against_pgmq");
  return {
    title: `Dibs drains a backlog at ${dibs.median.toFixed(1)} times pgmq's rate, ` +
      "100 tasks at a time",
    subtitle:
      "Tasks a second of 4 workers, against pgmq; median, from the least to the most; –: not measured",
    description: PANELS.map(({ title }, panel) => {
      const values = rows.filter(({ ratios }) => ratios[panel])
        .map(({ contender, ratios }) => `${rowNameOf(contender)} ${range(ratios[panel]!)}`);
      return `${title}: ${values.join(", ")}.`;
    }).join(" "),
    body: <Bars rows={rows} />,
    bodyHeight: HEAD + rows.length * ROW + 18,
  };
}

/** The fastest first; those who take one task at a time come last. */
function rowsOf(kept: Kept): Row[] {
  const names = new Set(PANELS.flatMap(({ cell }) => kept.contenders("drain", cell)));
  return Array.from(names, (contender) => ({
    contender,
    ratios: PANELS.map(({ cell }) =>
      kept.contenders("drain", cell).includes(contender)
        ? kept.spread("drain", cell, contender, "against_pgmq")
        : undefined
    ),
  })).sort((a, b) => (b.ratios[0]?.median ?? 0) - (a.ratios[0]?.median ?? 0));
}

function Bars({ rows }: { rows: Row[] }) {
  const most = Math.max(...rows.flatMap(({ ratios }) => ratios.map((ratio) => ratio?.max ?? 0)));
  const scale = scaleLinear([0, most], [0, PANEL_WIDTH - VALUE_WIDTH]);
  const bottom = HEAD + rows.length * ROW;
  return (
    <>
      {rows.map(({ contender }, i) => (
        <g key={contender} class={toneOf(contender)}>
          <text
            class={contender === "dibs" ? "label" : undefined}
            x={NAMES_WIDTH - 8}
            y={HEAD + i * ROW + 16}
            text-anchor="end"
          >
            {rowNameOf(contender)}
          </text>
        </g>
      ))}
      {PANELS.map(({ title }, panel) => (
        <g key={title} transform={`translate(${NAMES_WIDTH + panel * (PANEL_WIDTH + GAP)} 0)`}>
          <text class="quiet" x={0} y={12}>{title}</text>
          <line
            class="one"
            x1={round(scale(1))}
            x2={round(scale(1))}
            y1={HEAD - 4}
            y2={bottom + 2}
          />
          <text class="quiet" x={round(scale(1))} y={bottom + 15} text-anchor="middle">
            pgmq = 1
          </text>
          {rows.map(({ contender, ratios }, i) => (
            <Bar
              key={contender}
              tone={toneOf(contender)}
              ratio={ratios[panel]}
              scale={scale}
              y={HEAD + i * ROW}
            />
          ))}
        </g>
      ))}
    </>
  );
}

/** Whoever keeps nothing of a task is no queue, but how fast one could be. */
function rowNameOf(contender: string): string {
  return contender === "limit" ? "limit (keeps nothing)" : nameOf(contender);
}

function Bar(
  { tone, ratio, scale, y }: {
    tone: string;
    ratio?: Spread;
    scale: (value: number) => number;
    y: number;
  },
) {
  const middle = y + ROW / 2;
  if (!ratio) return <text class="quiet" x={2} y={middle + 4}>–</text>;
  const [left, right] = [round(scale(ratio.min)), round(scale(ratio.max))];
  return (
    <g class={tone}>
      <rect
        class="bar"
        x={0}
        y={middle - BAR / 2}
        width={round(scale(ratio.median))}
        height={BAR}
        rx={2}
      />
      <line class="around" x1={left - 1} x2={right + 1} y1={middle} y2={middle} />
      <line class="range" x1={left} x2={right} y1={middle} y2={middle} />
      <text class="value" x={right + 5} y={middle + 4}>{short(ratio.median)}</text>
    </g>
  );
}
