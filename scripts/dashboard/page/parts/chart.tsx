import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { clock, day, weekday } from "../format.ts";

export interface Series {
  label: string;
  values: (number | null)[];
}

/** How values are written, at the axis and when pointed at, and how far apart marks of the axis may be. */
export interface Scale {
  format(value: number | null): string;
  exactly(value: number | null): string;
  marks: number[];
}

/** What is pointed at: a step, and where it is from the left. */
interface Point {
  n: number;
  left: number;
}

const HEIGHT = 176;
const DARK = matchMedia("(prefers-color-scheme: dark)");
/** Told apart by their dashes, too, not by colour alone. */
const DASHES = [undefined, [6, 4], [2, 3]];

/** Lines over time, the last step of which still goes on. A table beside it says the same. */
export function Chart({ title, says, times, step, series, scale, isEmpty }: {
  title: string;
  says: string;
  times: number[];
  /** How long each lasts, in seconds. */
  step: number;
  series: Series[];
  scale: Scale;
  isEmpty: boolean;
}) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [point, setPoint] = useState<Point | null>(null);
  const data: uPlot.AlignedData = [times, ...series.map(({ values }) => values)];
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const draw = () => {
      chart.current?.destroy();
      const options = optionsOf(series, scale, place.current!.clientWidth, setPoint);
      chart.current = new uPlot(options, latest.current, place.current!);
    };
    draw();
    const resized = new ResizeObserver(([{ contentRect: { width } }]) =>
      width > 0 && chart.current!.setSize({ width: Math.floor(width), height: HEIGHT })
    );
    resized.observe(place.current!);
    DARK.addEventListener("change", draw);
    return () => {
      DARK.removeEventListener("change", draw);
      resized.disconnect();
      chart.current?.destroy();
    };
  }, []);
  useEffect(() => chart.current?.setData(latest.current), [times]);

  return (
    <section class="card chart">
      <div class="head">
        <h2>{title}</h2>
        <p class="quiet">{says}</p>
        <ul class="legend" aria-hidden="true">
          {series.map(({ label }, n) => <li key={label} class={`line-${n}`}>{label}</li>)}
        </ul>
      </div>
      <div class="plot">
        <div ref={place} role="img" aria-label={`${title}, ${says}, over time`} />
        {isEmpty && <p class="nothing">Nothing happened in this time.</p>}
        {point && times[point.n] !== undefined && (
          <Tooltip
            point={point}
            width={place.current!.clientWidth}
            time={`${day(times[point.n])} ${clock(times[point.n])}–${clock(times[point.n] + step)}`}
            isOver={point.n < times.length - 1}
            values={series.map(({ label, values }) => [label, scale.exactly(values[point.n])])}
          />
        )}
      </div>
    </section>
  );
}

/** At the side where there is room for it. */
function Tooltip({ point: { left }, width, time, isOver, values }: {
  point: Point;
  width: number;
  time: string;
  isOver: boolean;
  values: [string, string][];
}) {
  const style = left > width / 2 ? { right: `${width - left + 12}px` } : { left: `${left + 12}px` };
  return (
    <div class="tooltip" style={style} aria-hidden="true">
      <p>{time}{!isOver && ", so far"}</p>
      <ul class="legend">
        {values.map(([label, value], n) => (
          <li key={label} class={`line-${n}`}>
            {label} <b>{value}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}

function optionsOf(
  series: Series[],
  { format, marks }: Scale,
  width: number,
  onPoint: (point: Point | null) => void,
): uPlot.Options {
  const colour = (name: string) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour("quiet"),
    font: "11px ui-sans-serif, system-ui, sans-serif",
    grid: { stroke: colour("rule"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 7 },
      // All charts of a page have the same times, and tell of the same one.
      sync: { key: "times" },
    },
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 24,
        gap: 4,
        space: 70,
        values: (_, times) => times.map((at) => clock(at) === "00:00" ? weekday(at) : clock(at)),
      },
      { ...axis, size: 56, space: 34, incrs: marks, values: (_, at) => at.map(format) },
    ],
    series: [
      {},
      ...series.map(({ label }, n): uPlot.Series => ({
        label,
        stroke: colour(`line-${n}`),
        width: 1.75,
        dash: DASHES[n],
        points: { size: 4, filter: onlyAlone },
        fill: n === 0 ? `${colour(`line-${n}`)}1f` : undefined,
      })),
    ],
    hooks: {
      drawClear: [shadeLast],
      setCursor: [
        ({ cursor: { idx, left = -1 }, over }) =>
          onPoint(
            typeof idx === "number" && left >= 0 ? { n: idx, left: left + over.offsetLeft } : null,
          ),
      ],
    },
  };
}

/** A value between two that are not known is a point, for no line leads to it. */
function onlyAlone(plot: uPlot, n: number): number[] {
  const values = plot.data[n];
  return [...values.keys()].filter((at) =>
    values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null
  );
}

/** What is not over may still become more. */
function shadeLast({ ctx, data: [times], bbox, valToPos }: uPlot): void {
  if (times.length < 2) return;
  const [from, to] = [times.at(-2)!, times.at(-1)!].map((at) => valToPos(at, "x", true));
  ctx.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--raised");
  ctx.fillRect(from, bbox.top, to - from, bbox.height);
}
