import cliProgress from "cli-progress";
import process from "node:process";

/** Shows on stderr how far something is: a bar on a terminal, otherwise a line for each repeat. */
export interface Progress {
  step(name: string): void;
  stop(): void;
}

/** Starts showing `total` steps, of which each repeat takes the same number. */
export function startProgress(total: number, repeats: number): Progress {
  if (!process.stderr.isTTY) return startLines(total / repeats, repeats);
  const bar = new cliProgress.SingleBar({
    format: "{bar} {value}/{total} {eta_formatted} left, {step}",
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
  }, cliProgress.Presets.shades_classic);
  bar.start(total, 0, { step: "" });
  let steps = 0;
  return {
    step: (name) => bar.update(steps++, { step: name }),
    stop: () => bar.stop(),
  };
}

/** Says how long it will still take as soon as it can know. */
function startLines(perRepeat: number, repeats: number): Progress {
  const began = performance.now();
  let steps = 0;
  return {
    step() {
      const done = steps++ / perRepeat;
      if (!Number.isInteger(done)) return;
      const minutes = (performance.now() - began) / 60_000 / done * (repeats - done);
      const left = done > 0 ? `about ${Math.ceil(minutes)} min left` : `${perRepeat} steps`;
      console.error(`Repeat ${done + 1} of ${repeats}, ${left}`);
    },
    stop() {},
  };
}
