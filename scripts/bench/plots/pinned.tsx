import { scaleLinear } from "d3-scale";
import { spread } from "../spread.ts";
import { Chart, CHART_HEIGHT, extent, type Point, type Series } from "./chart.tsx";
import { nameOf, toneOf } from "./contender_names.ts";
import type { Drawing } from "./frame.tsx";
import type { Kept } from "./kept.ts";
import { short, whole } from "./values.ts";

/** Where Dibs takes long enough for its course to be seen beside the others'. */
const CELL = "W4 b10";
const LABELS_WIDTH = 96;

/** How the rate goes while somebody holds an old snapshot, as a line over time. */
export function drawPinned(kept: Kept): Drawing {
  const contenders = kept.contenders("pinned", CELL);
  const change = (name: string) =>
    short(kept.spread("pinned", CELL, name, "last_tenth_against_first").median);
  const series = contenders.map((name): Series => {
    const repeats = repeatsOf(kept, name);
    const points = middle(repeats);
    return { tone: toneOf(name), label: labelOf(kept, name, points), points, repeats };
  });
  const points = series.flatMap(({ repeats = [] }) => repeats.flat());
  const places = extent(LABELS_WIDTH);
  const x = scaleLinear([0, Math.max(...points.map(({ x }) => x))], places.x);
  const y = scaleLinear([0, Math.max(...points.map(({ y }) => y))], places.y).nice(4);
  return {
    title: `Under an old snapshot Dibs ends at ${change("dibs")} times the rate it began with, ` +
      `pgmq at ${change("pgmq")}`,
    subtitle: "4 workers drain 10 at a time while a transaction stays open; thin: each repeat",
    description: contenders.map((name, i) => {
      const rates = series[i].points.map(({ y }) => whole(y));
      return `Tasks a second of ${nameOf(name)}, by twentieths: ${rates.join("; ")}.`;
    }).join(" "),
    body: (
      <Chart
        right={LABELS_WIDTH}
        series={series}
        axes={{
          x: { scale: x, ticks: x.ticks(5), format: String, title: "seconds" },
          y: {
            scale: y,
            ticks: y.ticks(4),
            format: whole,
            title: "tasks a second",
          },
        }}
      />
    ),
    bodyHeight: CHART_HEIGHT,
  };
}

/** The rate of each twentieth, in the middle of the time it took. */
function repeatsOf(kept: Kept, contender: string): Point[][] {
  const courses = kept.courses("pinned", CELL, contender);
  return kept.results("pinned", CELL, contender).map(({ figures }, repeat) => {
    const course = courses[repeat];
    return course.map((end, part) => {
      const begin = course[part - 1] ?? 0;
      const tasks = figures.executed / course.length;
      return { x: (begin + end) / 2, y: tasks / (end - begin) };
    });
  });
}

/** Of each twentieth the median of the repeats. */
function middle(repeats: Point[][]): Point[] {
  return repeats[0].map((_, part) => ({
    x: spread(repeats.map((points) => points[part].x)).median,
    y: spread(repeats.map((points) => points[part].y)).median,
  }));
}

/** The rate at the end; whoever did all of it says when instead. */
function labelOf(kept: Kept, contender: string, points: Point[]): string[] {
  const figure = (name: string) => kept.spread("pinned", CELL, contender, name);
  const { max: tasks } = figure("tasks");
  if (figure("executed").min < tasks) {
    return [`${nameOf(contender)} ${whole(points[points.length - 1].y)}/s`];
  }
  const ends = kept.courses("pinned", CELL, contender).map((course) => course[course.length - 1]);
  const seconds = spread(ends).median.toFixed(1);
  return [nameOf(contender), `all ${whole(tasks)} done`, `in ${seconds} s`];
}
