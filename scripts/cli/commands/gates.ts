import type { Command } from "commander";
import { count } from "../../numbers.ts";
import { command, connect, dangerous, explained, type Options } from "../command.ts";
import { confirm } from "../confirm.ts";
import { EXIT, Failure } from "../exit_codes.ts";
import { type Column, paint, printDone, printRows } from "../output.ts";
import type { Project } from "../project.ts";
import { lasting, relative } from "../times.ts";

interface Gate {
  scope: string;
  key: string | null;
  max_running: number | null;
  rate: number | null;
  period: string | null;
  burst: number | null;
  paused_at: string | null;
  running: number;
  retry_after_seconds: number | null;
}

/** A row of `task_gates`. */
interface TaskGate extends Gate {
  type: string | null;
}

/** A row of `claim_gates`. */
export interface ClaimGate extends Gate {
  source: string;
  work_type: string | null;
}

type AnyGate = { of: "tasks" } & TaskGate | { of: "claims" } & ClaimGate;

export function gates(program: Command): void {
  command(program, "gates", "Limits, rates and pauses, and how much runs under each.", [
    "dibs gates",
    "dibs gates --ndjson | jq -r 'select(.paused_at).type'",
  ]).action(async (options: Options) => {
    const project = await connect(options);
    await printRows([await readGates(project)], GATES, options);
  });
  pause(program);
  resume(program);
}

export async function readGates(project: Project): Promise<AnyGate[]> {
  const tasks = await project.read<TaskGate[]>("task_gates");
  const claims = await project.read<ClaimGate[]>("claim_gates");
  return [
    ...tasks.map((gate) => ({ of: "tasks" as const, ...gate })),
    ...claims.map((gate) => ({ of: "claims" as const, ...gate })),
  ];
}

function pause(program: Command): void {
  const parent = explained(
    program.command("pause").description("Let nothing more be claimed; what runs goes on."),
    ["dibs pause tasks email", "dibs pause claims thoughts enrichment"],
  );
  dangerous(command(parent, "tasks", "Claim no more tasks of a type, of a key of it, or of any.", [
    "dibs pause tasks email",
    "dibs pause tasks email --key acme --yes",
    "dibs pause tasks --all",
  ]))
    .argument("[type]", "the type")
    .option("--key <key>", "only this key of it")
    .option("--all", "everything")
    .action(async (type: string | undefined, options: TaskFlags) => {
      const what = checked(type, options);
      const project = await connect(options);
      await confirm(`Pause ${what}?`, options.yes);
      const held = await project.write<number>("pause_tasks", argsOf(type, options));
      await printDone({ held }, options, `Paused ${what}; ${count(held, "task")} still held.`);
    });
  dangerous(
    command(parent, "claims", "Claim no more rows of a source, for a kind of work or any.", [
      "dibs pause claims thoughts enrichment",
      "dibs pause claims thoughts enrichment --key acme --yes",
    ]),
  )
    .argument("<source>", "thoughts, or another claim source")
    .argument("[work-type]", "the kind of work")
    .option("--key <key>", "only rows of this key")
    .action(async (source: string, workType: string | undefined, options: ClaimFlags) => {
      const { what, args } = claimsOf(source, workType, options);
      const project = await connect(options);
      await confirm(`Pause work on ${what}?`, options.yes);
      const held = await project.write<number>("pause_claims", args);
      await printDone({ held }, options, `Paused ${what}; ${count(held, "row")} still held.`);
    });
}

function resume(program: Command): void {
  const parent = explained(
    program.command("resume").description("End a pause, by what it was made with."),
    ["dibs resume tasks email", "dibs resume claims thoughts enrichment"],
  );
  command(parent, "tasks", "Let tasks be claimed again.", [
    "dibs resume tasks email",
    "dibs resume tasks --all",
  ])
    .argument("[type]", "the type")
    .option("--key <key>", "only this key of it")
    .option("--all", "everything; what was paused by itself stays so")
    .action(async (type: string | undefined, options: TaskFlags) => {
      const what = checked(type, options);
      const project = await connect(options);
      const resumed = await project.write<boolean>("resume_tasks", argsOf(type, options));
      await tell(resumed, what, options);
    });
  command(parent, "claims", "Let rows be claimed again.", [
    "dibs resume claims thoughts enrichment",
  ])
    .argument("<source>", "thoughts, or another claim source")
    .argument("[work-type]", "the kind of work")
    .option("--key <key>", "only rows of this key")
    .action(async (source: string, workType: string | undefined, options: ClaimFlags) => {
      const { what, args } = claimsOf(source, workType, options);
      const project = await connect(options);
      await tell(await project.write<boolean>("resume_claims", args), what, options);
    });
}

type Flags = Options & { yes?: boolean };
type TaskFlags = Flags & { key?: string; all?: boolean };
type ClaimFlags = Flags & { key?: string };

/** A variable that was not set must not pause everything. */
function checked(type: string | undefined, { key, all }: TaskFlags): string {
  if (Boolean(type) === Boolean(all)) {
    throw new Failure(EXIT.wrongUse, "Give a type, or --all for everything.");
  }
  if (all && key !== undefined) {
    throw new Failure(EXIT.wrongUse, "A key is one of a type: give it, too.");
  }
  return all ? "everything" : key === undefined ? type! : `${type}, ${key}`;
}

function argsOf(type: string | undefined, { key }: TaskFlags): Record<string, unknown> {
  return { p_type: type ?? null, p_key: key ?? null };
}

function claimsOf(p_source: string, p_work_type: string | undefined, { key: p_key }: ClaimFlags) {
  const what = [p_source, p_work_type, p_key].filter(Boolean).join(", ");
  return { what, args: { p_source, p_work_type, p_key } };
}

async function tell(resumed: boolean, what: string, options: Options): Promise<void> {
  if (!resumed) throw new Failure(EXIT.nothing, `${what} was not paused.`);
  await printDone({ resumed }, options, `Resumed ${what}.`);
}

export const GATES: Column<AnyGate>[] = [
  { title: "OF", of: (gate) => gate.of === "tasks" ? gate.scope : `${gate.source} rows` },
  { title: "NAME", of: (gate) => (gate.of === "tasks" ? gate.type : gate.work_type) ?? "all" },
  { title: "KEY", of: ({ key, scope }) => key ?? (scope === "each key" ? "each" : "") },
  {
    title: "GATE",
    of: limitOf,
    paint: (text, { paused_at }) => paused_at ? paint.yellow(text) : text,
  },
  { title: "RUNNING", of: ({ running }) => String(running), align: "right" },
  { title: "NEXT IN", of: (gate) => lasting(gate.retry_after_seconds), align: "right" },
];

/** What a gate says, in a few words. */
export function limitOf({ max_running, rate, period, burst, paused_at }: Gate): string {
  return [
    paused_at === null ? [] : `paused ${relative(paused_at)}`,
    max_running === null ? [] : `${max_running} at once`,
    rate === null ? [] : `${rate} per ${period}${burst === rate ? "" : `, ${burst} in a burst`}`,
  ].flat().join("; ");
}
