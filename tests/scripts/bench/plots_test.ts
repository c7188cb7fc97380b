import assert from "node:assert/strict";
import type { Evidence } from "../../../scripts/bench/evidence.ts";
import type { Result } from "../../../scripts/bench/measure.ts";
import { drawPlot, plotMarkup } from "../../../scripts/bench/plots/plots.ts";
import { summarise } from "../../../scripts/bench/summary.ts";
import type { Cell } from "../../../scripts/bench/workload.ts";
import { startBrowser } from "../../support/browser.ts";

const PLOTS = ["drain", "pinned", "backlog", "pools"];
const SCHEMES = ["light", "dark"] as const;

/** One result for each repeat: what was measured in a cell. */
type Measured = Pick<Result, "workload" | "cell" | "contender"> & {
  repeats: { figures: Result["figures"]; course?: number[] }[];
};

const rates = (cell: string, contender: string, ...rates: number[]): Measured => ({
  workload: "drain",
  cell,
  contender,
  repeats: rates.map((rate) => ({ figures: { tasks_per_second: rate } })),
});

/** Drains 1,000 of 2,000 tasks, half of them at 100 a second and half at 50. */
const slowing = Array.from({ length: 20 }, (_, i) => i < 10 ? (i + 1) / 2 : i - 4);
/** Drains all 2,000 tasks at 200 a second. */
const steady = Array.from({ length: 20 }, (_, i) => (i + 1) / 2);

const pinned = (
  contender: string,
  executed: number,
  change: number,
  course: number[],
): Measured => ({
  workload: "pinned",
  cell: "W4 b10",
  contender,
  repeats: [{ figures: { tasks: 2000, executed, last_tenth_against_first: change }, course }],
});

const claims = (pending: number, contender: string, p50: number, p99: number): Measured => ({
  workload: "backlog",
  cell: `${pending.toLocaleString("en")} pending`,
  contender,
  repeats: [{ figures: { pending, claim_b100_p50_ms: p50, claim_b100_p99_ms: p99 } }],
});

const pool = (workload: string, pool: number, ...rates: number[]): Measured => ({
  workload,
  cell: `W4 b100, ${pool}`,
  contender: "dibs",
  repeats: rates.map((rate) => ({ figures: { pool, tasks_per_second: rate } })),
});

const MEASURED: Measured[] = [
  rates("W4 b1", "dibs", 20, 30),
  rates("W4 b1", "pgmq", 20, 20),
  rates("W4 b1", "guide", 10, 10),
  rates("W4 b100", "dibs", 400, 600),
  rates("W4 b100", "pgmq", 100, 100),
  rates("W4 b100", "pgq", 200, 200),
  pinned("dibs", 2000, 1.02, steady),
  pinned("pgmq", 1000, 0.5, slowing),
  claims(100, "dibs", 2, 4),
  claims(1000, "dibs", 2, 4),
  claims(100, "pgmq", 2, 3),
  claims(1000, "pgmq", 16, 32),
  pool("next_thoughts", 100, 1000, 1000),
  pool("next_thoughts", 1000, 800, 1000),
  pool("next_rows", 100, 500, 500),
  pool("next_rows", 1000, 500, 500),
];

/** What the bench keeps when it measured that. */
function evidence(measured = MEASURED, cpu = "Sample"): Evidence {
  const results = measured.flatMap(({ repeats, ...where }) =>
    repeats.map((found, repeat): Result => ({ repeat, ...where, ...found }))
  );
  const cells = Map.groupBy(measured, ({ workload, cell }) => `${workload} ${cell}`).values()
    .map((own) => ({
      workload: own[0].workload,
      name: own[0].cell,
      contenders: own.map(({ contender }) => ({ name: contender })),
    } as Cell)).toArray();
  return {
    command: "npm run bench -- drain --repeats 2 --postgres /usr/bin --out docs/evidence/some.json",
    made_at: "2026-11-27T10:00:00.000Z",
    commit: "0".repeat(40),
    repeats: 2,
    machine: { cores: 2, cpu, memory_gib: 4, fsync_microseconds: 300, load_before: 0 },
    versions: { postgres: "17" },
    goals: [],
    summary: summarise(cells, results),
    results,
  };
}

const drawn = (name: string, scheme: "light" | "dark" = "light") =>
  drawPlot(name, evidence(), scheme);

/** What matches in a text, in its order. */
function all(text: string, pattern: RegExp): string[] {
  return Array.from(text.matchAll(pattern), ([, found]) => found);
}

/** The places that the lines of a plot go through; the line on top comes first. */
function lines(svg: string): number[][][] {
  return all(svg, /class="line" d="M([^"]+)"/g).reverse()
    .map((way) => way.split("L").map((place) => place.split(",").map(Number)));
}

/** Where the axis at the left has a value. */
function heightOf(svg: string, tick: string): number {
  const [at] = all(svg, new RegExp(`y="([\\d.]+)" text-anchor="end">${tick}</text>`, "g"));
  return Number(at) - 4;
}

Deno.test("every plot is well-formed, and a browser shows it with its name and what it says", async () => {
  await using browser = await startBrowser();
  const { page, troubles } = await browser.open();
  for (const name of PLOTS) {
    for (const scheme of SCHEMES) {
      const svg = drawPlot(name, evidence(MEASURED, `<b>"A & B's"`), scheme);
      const found = await page.evaluate(async (svg) => {
        // deno-lint-ignore no-explicit-any
        const { DOMParser, Image, URL, Blob } = globalThis as any;
        const root = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
        const image = new Image();
        image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
        await image.decode();
        const labels: string[] = root.getAttribute("aria-labelledby").split(" ");
        return {
          tag: root.tagName,
          role: root.getAttribute("role"),
          labels: labels.map((id) => root.querySelector(`#${id}`).textContent.length > 20),
          source: [...root.querySelectorAll(".source")].map((line) => line.textContent).join(" "),
          width: image.naturalWidth,
          scripts: root.querySelectorAll("script, a, image, foreignObject").length,
        };
      }, svg);
      assert.match(
        found.source,
        /^npm run bench -- drain --repeats 2 docs\/evidence\/bench-\w+\.json/,
      );
      assert.match(found.source, /2 repeats, 2 × <b>"A & B's"$/);
      const { source: _, ...rest } = found;
      assert.deepEqual(rest, {
        tag: "svg",
        role: "img",
        labels: [true, true],
        width: 420,
        scripts: 0,
      }, `${name} ${scheme}`);
    }
  }
  assert.deepEqual(troubles, []);
});

Deno.test("bars are as long as the ratios, which stand beside them, the fastest first", () => {
  const svg = drawn("drain");
  assert.match(svg, /<title id="title">Dibs drains a backlog at 5\.0 times pgmq's rate/);
  assert.match(
    svg,
    /100 at a time: Dibs 5\.00 \(4\.00–6\.00\), PgQ 2\.00 \(2\.00–2\.00\), pgmq 1\.00/,
  );
  assert.match(svg, /1 at a time: Dibs 1\.25 \(1\.00–1\.50\), pgmq 1\.00 .*, guide 0\.50/);
  assert.deepEqual(all(svg, /class="value"[^>]*>([\d.]+)</g), [
    ...["5.00", "2.00", "1.00"],
    ...["1.25", "1.00", "0.50"],
  ]);
  const widths = all(svg, /class="bar"[^>]* width="([\d.]+)"/g).map(Number);
  const one = widths[2];
  for (const [i, ratio] of [5, 2, 1, 1.25, 1, 0.5].entries()) {
    assert(Math.abs(widths[i] - ratio * one) < 0.05, `bar ${i} is ${widths[i]} long, 1 is ${one}`);
  }
  assert.equal(all(svg, /(>–<)/g).length, 2, "two were not measured in a panel");
});

Deno.test("rates over time are those between the moments that were kept", () => {
  const svg = drawn("pinned");
  assert.match(
    svg,
    /<title id="title">Under an old snapshot Dibs ends at 1\.02 times the rate .*pgmq at 0\.50</,
  );
  assert.match(svg, new RegExp(`of Dibs, by twentieths: ${Array(20).fill(200).join("; ")}\\.`));
  assert.match(svg, />all 2,000 done<.*\n.*>in 10\.0 s</);
  assert.match(svg, />pgmq 50\/s</);
  const [dibs, pgmq] = lines(svg);
  assert.deepEqual(dibs.map(([, y]) => y), Array(20).fill(heightOf(svg, "200")));
  const [full, half] = [heightOf(svg, "100"), heightOf(svg, "50")];
  assert.deepEqual(pgmq.map(([, y]) => y), [...Array(10).fill(full), ...Array(10).fill(half)]);
});

Deno.test("what a claim takes is drawn over how long the backlog is, by powers of ten", () => {
  const svg = drawn("backlog");
  assert.match(svg, /With 1,000 tasks pending a claim of 100 takes Dibs 2\.00 ms, pgmq 16 ms</);
  assert.match(svg, /of pgmq: 2\.00 and 3\.00 at 100; 16 and 32 at 1,000\./);
  const [dibs, pgmq] = lines(svg);
  assert.equal(dibs[0][1], dibs[1][1]);
  assert.deepEqual(pgmq[0], dibs[0]);
  const [zero, ten] = [heightOf(svg, "0"), heightOf(svg, "10")];
  assert(Math.abs(zero - pgmq[1][1] - 1.6 * (zero - ten)) < 0.05, "16 is as high as it must be");
});

Deno.test("the rates of claims are drawn over how large the pool is", () => {
  const svg = drawn("pools");
  assert.match(
    svg,
    />1,000 thoughts are claimed at 0\.90 times the rate of 100, rows of any table at 1\.00</,
  );
  assert.match(
    svg,
    /thoughts, uuid keys: 1,000 \(1,000–1,000\) of 100; 900 \(800–1,000\) of 1,000\./,
  );
  const [thoughts, rows] = lines(svg);
  const [zero, full] = [heightOf(svg, "0"), heightOf(svg, "1,000")];
  assert.equal(thoughts[0][1], full);
  assert(Math.abs(zero - thoughts[1][1] - 0.9 * (zero - full)) < 0.05);
  assert(Math.abs(zero - rows[0][1] - 0.5 * (zero - full)) < 0.05);
});

Deno.test("a plot is the same wherever it is drawn: no place has digits that machines round on their own", () => {
  for (const name of PLOTS) {
    for (const scheme of SCHEMES) {
      const svg = drawn(name, scheme);
      assert.equal(drawn(name, scheme), svg);
      assert.deepEqual(svg.match(/[\d.]*\.\d{3,}/), null, `${name} ${scheme}`);
    }
    assert.notEqual(drawn(name, "light"), drawn(name, "dark"));
  }
});

Deno.test("what a plot lacks is an error that says how to measure it", () => {
  const without = (leaveOut: (measured: Measured) => boolean) =>
    evidence(MEASURED.filter((measured) => !leaveOut(measured)));
  const uncharted = MEASURED.map((measured) => ({
    ...measured,
    repeats: measured.repeats.map(({ figures }) => ({ figures })),
  }));
  const mend = "This makes it: PGMQ_SQL=…/pgmq.sql npm run bench -- ";
  for (
    const [name, found, message] of [
      [
        "drain",
        without(({ contender }) => contender === "pgmq"),
        "docs/evidence/bench-drain.json has no against_pgmq of drain W4 b100, dibs. " +
        `${mend}drain enqueue pinned few retries --out docs/evidence/bench-drain.json`,
      ],
      [
        "pinned",
        evidence(uncharted),
        "docs/evidence/bench-pinned.json has no course of pinned W4 b10, dibs. " +
        `${mend}pinned --out docs/evidence/bench-pinned.json`,
      ],
      [
        "pinned",
        without(({ contender }) => contender === "pgmq"),
        "docs/evidence/bench-pinned.json has no last_tenth_against_first of pinned W4 b10, pgmq. " +
        `${mend}pinned --out docs/evidence/bench-pinned.json`,
      ],
      [
        "backlog",
        without(({ workload }) => workload === "backlog"),
        "docs/evidence/bench-sizes.json has no backlog. " +
        `${mend}backlog next_thoughts next_rows --out docs/evidence/bench-sizes.json`,
      ],
      [
        "pools",
        without(({ workload }) => workload === "next_rows"),
        "docs/evidence/bench-sizes.json has no next_rows. " +
        `${mend}backlog next_thoughts next_rows --out docs/evidence/bench-sizes.json`,
      ],
    ] as const
  ) {
    assert.throws(() => drawPlot(name, found, "light"), { message });
  }
});

Deno.test("documents show the plot that suits the reader, and say in words what it shows", () => {
  assert.equal(
    plotMarkup("drain", "docs/evidence/bench-drain.json", evidence(), "docs/images"),
    [
      "<picture>",
      '<source media="(prefers-color-scheme: dark)" srcset="docs/images/bench-drain-dark.svg">',
      '<img src="docs/images/bench-drain-light.svg" width="420" ' +
      `alt="Dibs drains a backlog at 5.0 times pgmq's rate, 100 tasks at a time. Tasks a second of ` +
      '4 workers, against pgmq; median, from the least to the most; –: not measured.">',
      "</picture>\n",
    ].join("\n"),
  );
  for (const [name, file] of [["dance", "bench-drain"], ["drain", "bench-pinned"]]) {
    const path = `docs/evidence/${file}.json`;
    const message = `There is no plot ${name} of ${path}`;
    assert.throws(() => plotMarkup(name, path, evidence(), "images"), { message });
  }
});
