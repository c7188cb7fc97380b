import cliProgress from "cli-progress";
import process from "node:process";

/** Shows on stderr how far something is: a bar on a terminal, otherwise a line for each repeat. */
export interface Progress {
  step(name: string): void;
  stop(): void;
}

/** Starts showing `total` steps, of which each repeat takes the same number. */
export function startProgress(total: number, repeats: number): Progress {
  if (!process.stderr.isTTY) {
    let steps = 0;
    return {
      step() {
        const perRepeat = total / repeats;
        if (steps++ % perRepeat === 0) {
          console.error(`Repeat ${Math.ceil(steps / perRepeat)} of ${repeats}`);
        }
      },
      stop() {},
    };
  }
  const bar = new cliProgress.SingleBar({
    format: "{bar} {value}/{total} {step}",
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
