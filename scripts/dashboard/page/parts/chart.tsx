import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";

export interface Series {
  label: string;
  /** A custom property of the style sheet, without the dashes. */
  colour: string;
  values: (number | null)[];
}

const HEIGHT = 168;
const DARK = matchMedia("(prefers-color-scheme: dark)");

/** Lines over time. What they come to is said in words, too, for whoever does not see them. */
export function Chart({ title, says, times, series, format }: {
  title: string;
  says?: string;
  times: number[];
  series: Series[];
  format(value: number | null): string;
}) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const names = series.map(({ label }) => label).join();
  const data: uPlot.AlignedData = [times, ...series.map(({ values }) => values)];

  useEffect(() => {
    const draw = () => {
      chart.current?.destroy();
      chart.current = new uPlot(
        optionsOf(series, format, place.current!.clientWidth, setAt),
        data,
        place.current!,
      );
    };
    draw();
    const resized = new ResizeObserver(([{ contentRect: { width } }]) =>
      width > 0 && chart.current!.setSize({ width, height: HEIGHT })
    );
    resized.observe(place.current!);
    DARK.addEventListener("change", draw);
    return () => {
      DARK.removeEventListener("change", draw);
      resized.disconnect();
      chart.current?.destroy();
    };
  }, [names]);
  useEffect(() => chart.current?.setData(data), [times, series]);

  const shown = at ?? times.length - 1;
  const told = series.map(({ label, values }) => `${label} ${format(values[shown] ?? null)}`);
  return (
    <section class="card chart">
      <div class="head">
        <h2>{title}</h2>
        {says && <p class="quiet">{says}</p>}
      </div>
      <ul class="legend">
        {series.map(({ label, colour, values }) => (
          <li key={label}>
            <span class="line" style={{ background: `var(--${colour})` }} aria-hidden="true" />
            {label} <b>{format(values[shown] ?? null)}</b>
          </li>
        ))}
        <li class="when">{times[shown] ? clock(times[shown]) : ""}</li>
      </ul>
      <div
        class="plot"
        ref={place}
        role="img"
        aria-label={`${title} over time; last: ${told.join(", ")}`}
      />
      {times.length === 0 && <p class="nothing">Nothing happened in this time.</p>}
    </section>
  );
}

function optionsOf(
  series: Series[],
  format: (value: number | null) => string,
  width: number,
  onPoint: (at: number | null) => void,
): uPlot.Options {
  const colourOf = (name: string) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const font = "11px ui-sans-serif, system-ui, sans-serif";
  const axis = {
    stroke: colourOf("quiet"),
    font,
    grid: { stroke: colourOf("rule"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 24,
        gap: 4,
        space: 70,
        values: (_, at) => at.map(clock),
      },
      { ...axis, size: 52, space: 34, values: (_, ticks) => ticks.map(format) },
    ],
    series: [
      {},
      ...series.map(({ label, colour }, n) => ({
        label,
        stroke: colourOf(colour),
        width: 1.75,
        points: { show: false },
        fill: n === 0 ? `${colourOf(colour)}24` : undefined,
      })),
    ],
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)] },
  };
}

function clock(seconds: number): string {
  return new Date(seconds * 1_000).toLocaleTimeString("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
  });
}
