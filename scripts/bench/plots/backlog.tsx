import { scaleLinear } from "d3-scale";
import { Chart, CHART_HEIGHT, extent, type Series } from "./chart.tsx";
import { nameOf, toneOf } from "./contender_names.ts";
import type { Drawing } from "./frame.tsx";
import type { Kept } from "./kept.ts";
import { sizeAxis } from "./sizes.ts";
import { short, whole } from "./values.ts";

const LABELS_WIDTH = 66;

/** How long a claim takes by how long the backlog is, as a line up to which a shade goes to p99. */
export function drawBacklog(kept: Kept): Drawing {
  const cells = [...new Set(kept.lines("backlog").map(({ cell }) => cell))]
    .filter((cell) => cell.endsWith(" pending"));
  const longest = cells[cells.length - 1];
  const contenders = kept.contenders("backlog", longest);
  const series = contenders.map((name): Series => {
    const points = cells.map((cell) => {
      const median = (figure: string) => kept.spread("backlog", cell, name, figure).median;
      const [low, high] = [median("claim_b100_p50_ms"), median("claim_b100_p99_ms")];
      return { x: median("pending"), y: low, low, high };
    });
    const label = [nameOf(name), `${short(points.at(-1)!.y)} ms`];
    return { tone: toneOf(name), label, points, dots: true };
  });
  const figure = (name: string, figure: string) =>
    kept.spread("backlog", longest, name, figure).median;
  const takes = (name: string) => short(figure(name, "claim_b100_p50_ms"));
  const places = extent(LABELS_WIDTH);
  const y = scaleLinear(
    [0, Math.max(...series.flatMap(({ points }) => points.map(({ high }) => high!)))],
    places.y,
  ).nice(4);
  const x = sizeAxis(series[0].points.map(({ x }) => x), places.x, "tasks pending");
  return {
    title: `With ${whole(figure("dibs", "pending"))} tasks pending a claim of 100 takes Dibs ` +
      `${takes("dibs")} ms, pgmq ${takes("pgmq")} ms`,
    subtitle: "One worker; line: half of the calls are quicker, shade: 99 of 100 are. " +
      "A fifth of the backlog is in the future",
    description: series.map(({ points }, i) => {
      const values = points.map(({ x, y, high }) =>
        `${short(y)} and ${short(high!)} at ${whole(x)}`
      );
      return `Milliseconds (p50 and p99) of ${nameOf(contenders[i])}: ${values.join("; ")}.`;
    }).join(" "),
    body: (
      <Chart
        right={LABELS_WIDTH}
        series={series}
        axes={{ x, y: { scale: y, ticks: y.ticks(4), format: String, title: "ms a call" } }}
      />
    ),
    bodyHeight: CHART_HEIGHT,
  };
}
