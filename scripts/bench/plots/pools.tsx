import { scaleLinear } from "d3-scale";
import { spread } from "../spread.ts";
import { Chart, CHART_HEIGHT, extent, type Series } from "./chart.tsx";
import type { Drawing } from "./frame.tsx";
import type { Kept } from "./kept.ts";
import { sizeAxis } from "./sizes.ts";
import { range, short, whole } from "./values.ts";

const THOUGHTS = {
  workload: "next_thoughts",
  name: "thoughts",
  key: "uuid keys",
  tone: "dibs",
};
const ROWS = { workload: "next_rows", name: "any table", key: "bigint keys", tone: "second" };
const LABELS_WIDTH = 84;

/** How fast all rows are claimed and settled by how many there are. */
export function drawPools(kept: Kept): Drawing {
  const series = [THOUGHTS, ROWS].map(({ workload, name, key, tone }): Series => {
    const points = kept.lines(workload).map(({ cell }) => {
      const rate = kept.spread(workload, cell, "dibs", "tasks_per_second");
      const size = kept.spread(workload, cell, "dibs", "pool").median;
      return { x: size, y: rate.median, low: rate.min, high: rate.max };
    });
    return { tone, label: [name, key], points, dots: true };
  });
  const places = extent(LABELS_WIDTH);
  const points = series.flatMap(({ points }) => points);
  const y = scaleLinear([0, Math.max(...points.map(({ high }) => high!))], places.y).nice(4);
  const x = sizeAxis(points.map(({ x }) => x), places.x, "rows in the pool");
  const [few, many] = [x.ticks[0], x.ticks[x.ticks.length - 1]];
  return {
    title: `${whole(many)} ${THOUGHTS.name} are claimed at ${ratio(kept, THOUGHTS.workload)} ` +
      `times the rate of ${whole(few)}, rows of ${ROWS.name} at ${ratio(kept, ROWS.workload)}`,
    subtitle:
      "Rows claimed and settled by 4 workers, 100 at a time; shade: from the least to the most",
    description: series.map(({ label, points }) => {
      const values = points.map(({ x, y, low, high }) =>
        `${range({ median: y, min: low!, max: high! })} of ${whole(x)}`
      );
      return `Rows a second of ${label.join(", ")}: ${values.join("; ")}.`;
    }).join(" "),
    body: (
      <Chart
        right={LABELS_WIDTH}
        series={series}
        axes={{
          x,
          y: {
            scale: y,
            ticks: y.ticks(4),
            format: whole,
            title: "rows a second",
          },
        }}
      />
    ),
    bodyHeight: CHART_HEIGHT,
  };
}

/** Of the rate in the largest pool to that in the smallest, within each repeat. */
function ratio(kept: Kept, workload: string): string {
  const cells = kept.lines(workload).map(({ cell }) => cell);
  const [few, many] = [cells[0], cells[cells.length - 1]].map((cell) =>
    kept.results(workload, cell, "dibs").map(({ figures }) => figures.tasks_per_second)
  );
  return short(spread(many.map((rate, repeat) => rate / few[repeat])).median);
}
