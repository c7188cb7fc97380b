import { MultiBar } from "cli-progress";
import { number } from "../numbers.ts";
import type { Screen } from "../screen.ts";

/** How far everything is. */
export interface Standing {
  /** Name → how much of how much. */
  bars: Record<string, { done: number; of: number }>;
  /** How many each worker completed, and the drains. */
  workers: { done: number; killed: boolean }[];
  drains: number;
}

/** Shows how far a demonstration is, while it runs. */
export interface ProgressView {
  show(standing: Standing): void;
  /** Lines that stay. */
  good(text: string): void;
  bad(text: string): void;
  stop(): void;
}

/** Bars on a terminal, a line now and then in a file. */
export function progressView(screen: Screen): ProgressView {
  return screen.isLive ? liveView(screen) : plainView(screen);
}

const LABEL_WIDTH = 10;
const COUNT_WIDTH = 13;
const WIDEST_BAR = 60;
/** At the end cli-progress cuts lines at the width of the terminal, and counts the colours in. */
const COLOURS_WIDTH = 10;
const PLAIN_EVERY_MS = 3_000;

function liveView(screen: Screen): ProgressView {
  const { cyan, dim } = screen.paint;
  const barsize = Math.min(
    WIDEST_BAR,
    screen.columns - LABEL_WIDTH - COUNT_WIDTH - COLOURS_WIDTH - 5,
  );
  const multi = new MultiBar({
    stream: screen.stream,
    format: `  {label}${cyan("{bar}")}  {count}`,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize,
    hideCursor: true,
    forceRedraw: true,
    gracefulExit: false,
  });
  const shown = new Map<string, ReturnType<typeof multi.create>>();
  const bar = (name: string, total: number, options = {}) => {
    if (!shown.has(name)) shown.set(name, multi.create(total, 0, {}, options));
    return shown.get(name)!;
  };
  return {
    show({ bars, ...hands }) {
      for (const [name, { done, of }] of Object.entries(bars)) {
        const label = name.padEnd(LABEL_WIDTH);
        const count = `${number(done).padStart(5)} / ${number(of)}`;
        bar(name, of, {}).update(done, { label, count });
      }
      const text = dim(fit(`  ${handsLine(hands)}`, screen.columns - 1));
      bar("", 1, { format: "{text}" }).update(0, { text });
    },
    good: (text) => multi.log(`  ${screen.paint.green("✓")} ${text}\n`),
    bad: (text) => multi.log(`  ${screen.paint.red("✗")} ${text}\n`),
    stop: () => multi.stop(),
  };
}

function plainView(screen: Screen): ProgressView {
  let next = Date.now() + PLAIN_EVERY_MS;
  return {
    show({ bars, ...hands }) {
      if (Date.now() < next) return;
      next += PLAIN_EVERY_MS;
      const counts = Object.entries(bars)
        .map(([name, { done, of }]) => `${name} ${number(done)}/${number(of)}`);
      screen.line(`  ${counts.join("  ")}  (${handsLine(hands)})`);
    },
    good: (text) => screen.line(`  ${text}`),
    bad: (text) => screen.line(`  ${text}`),
    stop: () => {},
  };
}

function handsLine({ workers, drains }: Pick<Standing, "workers" | "drains">): string {
  const each = workers.map(({ done, killed }) => number(done) + (killed ? " ✗" : ""));
  return `workers   ${each.join(" · ")}   drains ${number(drains)}`;
}

function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
