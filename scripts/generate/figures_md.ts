import { basename, dirname, join, relative } from "node:path";
import { commandOf, type Evidence, readEvidence } from "../bench/evidence.ts";
import { plotMarkup } from "../bench/plots/plots.ts";
import type { Line } from "../bench/summary.ts";
import { goalRows, lineRows } from "../bench/table.ts";
import { PROJECT_DIR } from "../stack/migrate.ts";

/**
 * A place for figures in a document:
 *
 *     <!-- figures: run in docs/evidence/bench.json -->
 *     <!-- figures: goals in docs/evidence/bench.json -->
 *     <!-- figures: costs in docs/evidence/bench.json: rows_written_per_task, … -->
 *     <!-- figures: drain in docs/evidence/bench.json: against_pgmq by W4 b1, W4 b10 -->
 *     <!-- figures: plot in docs/evidence/bench.json: drain -->
 *
 * up to `<!-- end of figures -->`: when and where, how far goals were reached, a row per contender and
 * cell with these figures, a row per contender and a column per cell, or a picture.
 */
const PLACE =
  /(<!-- figures: (\w+) in (\S+?\.json)(?:: ([^>]+?))? -->\n)[^]*?(<!-- end of figures -->)/g;

const IMAGES = "docs/images";

/** The text of a document, with the tables of its figures made from the raw results. */
export async function withFigures(path: string): Promise<string> {
  const text = await Deno.readTextFile(join(PROJECT_DIR, path));
  const files = new Set(Array.from(text.matchAll(PLACE), ([, , , file]) => file));
  const evidence = new Map<string, Evidence>();
  for (const file of files) {
    evidence.set(file, await readEvidence(file));
  }
  return await format(text.replaceAll(PLACE, (_, begin, what, file, which, end) => {
    const link = relative(dirname(path), file);
    const below = what === "run" ? `[Raw results](${link}).\n` : caption(evidence.get(file)!, link);
    if (what === "plot") {
      const images = relative(dirname(path), IMAGES);
      const picture = plotMarkup(which, file, evidence.get(file)!, images);
      return [begin, picture, below, end].join("\n");
    }
    const { rows, texts } = rowsOf(evidence.get(file)!, what, which);
    if (rows.length < 2) throw new Error(`${path} asks for ${what}, of which ${file} has nothing`);
    return [begin, markdownTable(rows, texts), below, end].join("\n");
  }));
}

/** The rows of a table, its head first, of which so many columns are text. */
interface Rows {
  rows: string[][];
  texts: number;
}

function rowsOf(evidence: Evidence, what: string, which = ""): Rows {
  if (what === "goals") return { rows: goalRows(evidence.goals), texts: 1 };
  if (what === "run") return { rows: runRows(evidence), texts: 2 };
  const lines = evidence.summary.filter(({ workload }) => workload === what);
  const [figures, cells] = which.split(" by ");
  if (!cells) return { rows: lineRows(lines, figures.split(", ")), texts: 2 };
  return { rows: pivot(lines, figures, cells.split(", ")), texts: 1 };
}

function pivot(lines: Line[], figure: string, cells: string[]): string[][] {
  const contenders = new Set(lines.map(({ contender }) => contender));
  const rows = Array.from(contenders, (name) => [
    name,
    ...cells.map((cell) => {
      const own = lines.filter((line) => line.contender === name && line.cell === cell);
      return lineRows(own, [figure])[1]?.at(-1) ?? "";
    }),
  ]);
  return [["", ...cells], ...rows.filter((row) => row.slice(1).some(Boolean))];
}

function markdownTable([head, ...rows]: string[][], texts: number): string {
  const rule = head.map((_, place) => place < texts ? "---" : "---:");
  return [head, rule, ...rows].map((cells) =>
    `| ${cells.map((cell) => cell.replaceAll("\n", " ")).join(" | ")} |\n`
  ).join("");
}

/** How to get such figures, and where these come from. */
function caption(evidence: Evidence, link: string): string {
  return `By \`${commandOf(evidence)}\`: [raw results](${link}).\n`;
}

function runRows(evidence: Evidence): string[][] {
  const { machine, versions } = evidence;
  return [
    ["what", ""],
    [
      "command",
      `\`${evidence.command.replaceAll(/(?<= )\/\S+/g, (path) => `…/${basename(path)}`)}\``,
    ],
    ["made", `${evidence.made_at.slice(0, 10)}, at commit ${evidence.commit.slice(0, 7)}`],
    ["repeats", `${evidence.repeats}; medians are shown, with the least and the most`],
    ["machine", `${machine.cores} × ${machine.cpu}, ${machine.memory_gib} GiB`],
    ["its load before", machine.load_before.toFixed(1)],
    ["a flush to disk", `${machine.fsync_microseconds} µs`],
    ["PostgreSQL", versions.postgres],
  ];
}

/** As `npm run check` wants it. */
async function format(text: string): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--ext=md", "-"],
    cwd: PROJECT_DIR,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = command.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { stdout } = await command.output();
  return new TextDecoder().decode(stdout);
}
