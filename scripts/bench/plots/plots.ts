import { basename } from "node:path";
import { count } from "../../numbers.ts";
import { commandOf, type Evidence, readEvidence } from "../evidence.ts";
import { drawBacklog } from "./backlog.tsx";
import { drawDrain } from "./drain.tsx";
import { type Drawing, renderFrame } from "./frame.tsx";
import { Kept } from "./kept.ts";
import { type Scheme, SCHEMES } from "./look.ts";
import { drawPinned } from "./pinned.tsx";
import { drawPools } from "./pools.tsx";

/** A picture of what was measured. */
interface Plot {
  /** What is kept of the run that it shows, by the path from the root of the repository. */
  file: string;
  /** Which workloads that run is to have. */
  workloads: string;
  draw(kept: Kept): Drawing;
}

/** Every plot, by its name. */
const PLOTS: Record<string, Plot> = {
  drain: {
    file: "docs/evidence/bench-drain.json",
    workloads: "drain enqueue pinned few retries",
    draw: drawDrain,
  },
  pinned: { file: "docs/evidence/bench-pinned.json", workloads: "pinned", draw: drawPinned },
  backlog: {
    file: "docs/evidence/bench-sizes.json",
    workloads: "backlog next_thoughts next_rows",
    draw: drawBacklog,
  },
  pools: {
    file: "docs/evidence/bench-sizes.json",
    workloads: "backlog next_thoughts next_rows",
    draw: drawPools,
  },
};

/** The paths of all plots, from the root of the repository, each with what draws it. */
export const plotFiles: Record<string, () => Promise<string>> = Object.fromEntries(
  Object.entries(PLOTS).flatMap(([name, { file }]) =>
    SCHEMES.map((scheme) => [
      pathOf(name, scheme),
      async () => drawPlot(name, await evidenceOf(name, file), scheme),
    ])
  ),
);

/** The SVG of a plot. */
export function drawPlot(name: string, evidence: Evidence, scheme: Scheme): string {
  const { file, draw } = PLOTS[name];
  const { machine, repeats } = evidence;
  return renderFrame(draw(keptFor(name, evidence)), [
    commandOf(evidence),
    `${file}, ${count(repeats, "repeat")}, ${machine.cores} × ${machine.cpu}`,
  ], scheme);
}

/** How a document shows a plot of what a file keeps: the picture that suits the reader's scheme. */
export function plotMarkup(
  name: string,
  file: string,
  evidence: Evidence,
  toImages: string,
): string {
  if (PLOTS[name]?.file !== file) throw new Error(`There is no plot ${name} of ${file}`);
  const { title, subtitle } = PLOTS[name].draw(keptFor(name, evidence));
  const [light, dark] = SCHEMES.map((scheme) => `${toImages}/${basename(pathOf(name, scheme))}`);
  return [
    "<picture>",
    `<source media="(prefers-color-scheme: dark)" srcset="${dark}">`,
    `<img src="${light}" width="420" alt="${title}. ${subtitle}.">`,
    "</picture>\n",
  ].join("\n");
}

function pathOf(name: string, scheme: Scheme): string {
  return `docs/images/bench-${name}-${scheme}.svg`;
}

async function evidenceOf(name: string, file: string): Promise<Evidence> {
  return await readEvidence(file).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`${file} is missing. This makes it: ${mendOf(name)}`);
  });
}

function keptFor(name: string, evidence: Evidence): Kept {
  return new Kept(evidence, PLOTS[name].file, mendOf(name));
}

function mendOf(name: string): string {
  const { workloads, file } = PLOTS[name];
  return `PGMQ_SQL=…/pgmq.sql npm run bench -- ${workloads} --out ${file}`;
}
