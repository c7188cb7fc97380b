import { area, line } from "d3-shape";
import { BODY_WIDTH } from "./frame.tsx";
import { round } from "./round.ts";

/** Room for the labels of the axis on the left, and of the lines on the right. */
const LEFT = 50;
const HEIGHT = 190;
const TICKS_BELOW = 34;
const LINE_OF_TEXT = 15;
/** Lines that end as near to the edge have their labels below each other. */
const NEAR = 20;

/** From a value to a place; those of d3-scale are. */
type Scale = (value: number) => number;

/** Something that changes, drawn as a line. */
export interface Series {
  tone: string;
  label: string[];
  points: Point[];
  /** Each repeat by itself. */
  repeats?: Point[][];
  dots?: boolean;
}

/** How much it was where, and between what and what else. */
export interface Point {
  x: number;
  y: number;
  low?: number;
  high?: number;
}

/** The axes of a chart. */
export interface Axes {
  x: Axis;
  y: Axis;
}

interface Axis {
  scale: Scale;
  ticks: number[];
  format(tick: number): string;
  /** What it counts, in which unit. */
  title: string;
}

/** Where the scales of a chart go to, with so much room for labels on its right. */
export function extent(right: number): { x: [number, number]; y: [number, number] } {
  return { x: [LEFT, BODY_WIDTH - right], y: [HEIGHT, LINE_OF_TEXT + 8] };
}

/** How high a chart is. */
export const CHART_HEIGHT = HEIGHT + TICKS_BELOW;

/** Lines over two axes, each with its name at its end. */
export function Chart({ axes, series, right }: { axes: Axes; series: Series[]; right: number }) {
  const { x, y } = axes;
  const [from, to] = extent(right).x;
  return (
    <>
      <text class="quiet" x={0} y={10}>{y.title}</text>
      {y.ticks.map((tick) => (
        <g key={tick}>
          <line
            class="grid"
            x1={from}
            x2={to}
            y1={round(y.scale(tick))}
            y2={round(y.scale(tick))}
          />
          <text class="quiet" x={from - 6} y={round(y.scale(tick) + 4)} text-anchor="end">
            {y.format(tick)}
          </text>
        </g>
      ))}
      {x.ticks.map((tick) => (
        <text
          key={tick}
          class="quiet"
          x={round(x.scale(tick))}
          y={HEIGHT + 16}
          text-anchor="middle"
        >
          {x.format(tick)}
        </text>
      ))}
      <text class="quiet" x={to} y={HEIGHT + 32} text-anchor="end">{x.title}</text>
      {/* The first one, which the plot is about, lies on top. */}
      {series.toReversed().map((each) => <Marks key={each.label[0]} axes={axes} series={each} />)}
      <Labels axes={axes} series={series} edge={to} />
    </>
  );
}

function Marks({ axes: { x, y }, series }: { axes: Axes; series: Series }) {
  const way = line<Point>((point) => x.scale(point.x), (point) => y.scale(point.y)).digits(2);
  const band = area<Point>().digits(2)
    .x((point) => x.scale(point.x))
    .y0((point) => y.scale(point.low ?? point.y))
    .y1((point) => y.scale(point.high ?? point.y));
  return (
    <g class={series.tone}>
      {series.points.some(({ high }) => high !== undefined) &&
        <path class="band" d={band(series.points)!} />}
      {series.repeats?.map((points, i) => <path key={i} class="repeat" d={way(points)!} />)}
      <path class="line" d={way(series.points)!} />
      {series.dots &&
        series.points.map((point) => (
          <circle
            key={point.x}
            class="dot"
            cx={round(x.scale(point.x))}
            cy={round(y.scale(point.y))}
            r={3}
          />
        ))}
    </g>
  );
}

/** Each beside the end of its line, or as near as the others leave room for. */
function Labels(
  { axes: { x, y }, series, edge }: { axes: Axes; series: Series[]; edge: number },
) {
  const ends = series.map(({ points, label, tone }) => {
    const end = points[points.length - 1];
    const height = label.length * LINE_OF_TEXT;
    const place = x.scale(end.x);
    const left = (place > edge - NEAR ? edge : place) + 8;
    return { tone, label, height, left, top: y.scale(end.y) - height / 2 };
  });
  return (
    <>
      {spreadOut(ends).map(({ tone, label, left, top }) => (
        <g key={label[0]} class={tone}>
          {label.map((text, i) => (
            <text
              key={i}
              class={i === 0 ? "label" : "label more"}
              x={round(left)}
              y={round(top + i * LINE_OF_TEXT + 11)}
            >
              {text}
            </text>
          ))}
        </g>
      ))}
    </>
  );
}

/** From the lowest up: whoever would overlap moves up. */
function spreadOut<Label extends { top: number; height: number }>(labels: Label[]): Label[] {
  let floor = HEIGHT + 4;
  return labels.toSorted((a, b) => b.top - a.top).map((label) => {
    const top = Math.min(label.top, floor - label.height);
    floor = top;
    return { ...label, top };
  });
}
