import type { Command } from "commander";
import { count, number } from "../../numbers.ts";
import { command, connect, dangerous, explained, type Options } from "../command.ts";
import { confirm } from "../confirm.ts";
import { type Explained, explanation } from "../explanation.ts";
import { EXIT, Failure } from "../exit_codes.ts";
import { type Column, paint, pairs, printDone, printOne, printRows, table } from "../output.ts";
import { lasting, relative } from "../times.ts";
import { type ClaimGate, limitOf } from "./gates.ts";

/** A row of `claim_progress`. */
interface Progress {
  source: string;
  work_type: string;
  total: number;
  claimed: number;
  succeeded: number;
  failed: number;
  unclaimed: number;
  per_minute: number | null;
  seconds_left: number | null;
}

/** A row of `failed_rows`. */
interface Failed {
  id: string;
  attempts: number;
  max_attempts: number;
  error: string | null;
  failed_at: string;
  worker_id: string;
}

const SHOWN_FAILURES = 20;

export function claims(program: Command): void {
  const parent = explained(
    program.command("claims").description("Look at work on the rows of sources, such as thoughts."),
    ["dibs claims list", "dibs claims explain thoughts enrichment <id>"],
  );
  list(parent);
  show(parent);
  release(parent);
  explain(parent);
}

function list(parent: Command): void {
  command(parent, "list", "How far each kind of work is with the rows of each source.", [
    "dibs claims list",
    "dibs claims list --ndjson | jq -r 'select(.failed > 0).work_type'",
  ]).action(async (options: Options) => {
    const project = await connect(options);
    await printRows([await project.read<Progress[]>("claim_progress")], PROGRESS, options);
  });
}

function show(parent: Command): void {
  command(
    parent,
    "show",
    "One kind of work: how far it is, what holds it back, what failed last.",
    [
      "dibs claims show thoughts enrichment",
      "dibs claims show --json thoughts enrichment | jq -r '.failures[].error'",
    ],
  )
    .argument("<source>", "thoughts, or another claim source")
    .argument("<work-type>", "the kind of work")
    .action(async (source: string, workType: string, options: Options) => {
      const project = await connect(options);
      const isIt = (row: { source: string; work_type: string | null }) =>
        row.source === source && (row.work_type === workType || row.work_type === null);
      const progress = (await project.read<Progress[]>("claim_progress")).find(isIt);
      if (!progress) {
        throw new Failure(EXIT.nothing, `Nobody has worked on ${source} for ${workType} yet.`);
      }
      const gates = (await project.read<ClaimGate[]>("claim_gates")).filter(isIt);
      const failures = await project.read<Failed[]>("failed_rows", {
        p_source: source,
        p_work_type: workType,
        p_limit: SHOWN_FAILURES,
      });
      await printOne({ progress, gates, failures }, options, () =>
        [
          pairs({
            ...Object.fromEntries(
              PROGRESS.map(({ title, of }) => [title.toLowerCase(), of(progress)]),
            ),
            gates: gates.map(limitOf).join(", "),
          }),
          failures.length > 0 ? table(FAILURES, failures) : [],
        ].flat().join("\n\n"));
    });
}

function release(parent: Command): void {
  dangerous(
    command(parent, "release", "Hand back all that a worker has claimed, so that others get it.", [
      "dibs claims release thoughts --worker host-1-4711",
      "dibs claims release thoughts --worker host-1-4711 --work-type enrichment --yes",
    ]),
  )
    .argument("<source>", "thoughts, or another claim source")
    .requiredOption("--worker <id>", "the worker, which must not be working any more")
    .option("--work-type <x>", "of this kind of work only")
    .action(async (source: string, options: Options & Release) => {
      const { worker, workType, yes } = options;
      const project = await connect(options);
      await confirm(`Hand back what ${worker} holds of ${source}?`, yes);
      const released = await project.write<number>("release_rows_for_worker", {
        p_source: source,
        p_work_type: workType ?? null,
        p_worker_id: worker,
      });
      if (released === 0) throw new Failure(EXIT.nothing, "It holds nothing there.");
      await printDone({ released }, options, `${count(released, "claim")} handed back.`);
    });
}

interface Release {
  worker: string;
  workType?: string;
  yes?: boolean;
}

function explain(parent: Command): void {
  command(parent, "explain", "Why a row is not being worked on, and what would change it.", [
    "dibs claims explain thoughts enrichment 0198c0de-0000-7000-8000-000000000000",
  ])
    .argument("<source>", "thoughts, or another claim source")
    .argument("<work-type>", "the kind of work")
    .argument("<id>", "the id of the row")
    .action(async (source: string, workType: string, id: string, options: Options) => {
      const project = await connect(options);
      const [why] = await project.read<Explained[]>("explain_claim", {
        p_source: source,
        p_id: id,
        p_work_type: workType,
      });
      if (why.state === "unknown") throw new Failure(EXIT.nothing, `${source} has no row ${id}.`);
      await printOne(why, options, () => explanation(why));
    });
}

export const PROGRESS: Column<Progress>[] = [
  { title: "SOURCE", of: ({ source }) => source },
  { title: "WORK TYPE", of: ({ work_type }) => work_type },
  { title: "DONE", of: doneOf, align: "right" },
  { title: "TOTAL", of: ({ total }) => number(total), align: "right" },
  { title: "CLAIMED", of: ({ claimed }) => number(claimed), align: "right" },
  {
    title: "FAILED",
    of: ({ failed }) => number(failed),
    align: "right",
    paint: (text, { failed }) => failed > 0 ? paint.red(text) : text,
  },
  {
    title: "PER MINUTE",
    of: ({ per_minute }) => per_minute === null ? "" : number(Math.round(per_minute)),
    align: "right",
  },
  { title: "LEFT", of: ({ seconds_left }) => lasting(seconds_left), align: "right" },
];

function doneOf({ succeeded, failed, total }: Progress): string {
  return total > 0 ? `${Math.floor(100 * Math.min(1, (succeeded + failed) / total))} %` : "";
}

const FAILURES: Column<Failed>[] = [
  { title: "FAILED ROW", of: ({ id }) => id, whole: true },
  {
    title: "TRIES",
    of: ({ attempts, max_attempts }) => `${attempts}/${max_attempts}`,
    align: "right",
  },
  { title: "WHEN", of: ({ failed_at }) => relative(failed_at) },
  { title: "WORKER", of: ({ worker_id }) => worker_id ?? "" },
  { title: "ERROR", of: ({ error }) => error ?? "" },
];
