import type { Command } from "commander";
import { command, connect, dangerous, explained, type Options } from "../command.ts";
import { confirm } from "../confirm.ts";
import { EXIT, Failure } from "../exit_codes.ts";
import { type Column, paint, printDone, printRows } from "../output.ts";
import { relative } from "../times.ts";

/** A row of `schedules`. */
interface Schedule {
  name: string;
  cron: string;
  time_zone: string;
  type: string;
  paused: boolean;
  next_ticks: string[] | null;
  last_tick: string | null;
  problem: string | null;
}

type Flags = Options & { yes?: boolean };

export function schedules(program: Command): void {
  const parent = explained(
    program.command("schedules").description("Look at recurring schedules, and look after them."),
    ["dibs schedules list", "dibs schedules run nightly-report"],
  );
  list(parent);
  run(parent);
  pause(parent);
  resume(parent);
}

function list(parent: Command): void {
  command(parent, "list", "All of them, with when each is due next.", [
    "dibs schedules list",
    "dibs schedules list --ndjson | jq -r 'select(.problem).name'",
  ]).action(async (options: Options) => {
    const project = await connect(options);
    await printRows([await project.read<Schedule[]>("schedules")], COLUMNS, options);
  });
}

function run(parent: Command): void {
  dangerous(command(parent, "run", "Enqueue its task once more, now.", [
    "dibs schedules run nightly-report",
  ]))
    .argument("<name>", "its name")
    .action(async (name: string, options: Flags) => {
      const project = await connect(options);
      await confirm(`Enqueue the task of ${name} now?`, options.yes);
      const id = await project.write<string | null>("run_schedule_now", { p_name: name });
      if (id === null) throw none(name);
      await printDone({ id }, options, `Enqueued ${id}.`);
    });
}

function pause(parent: Command): void {
  dangerous(command(parent, "pause", "Enqueue nothing for it until it is resumed.", [
    "dibs schedules pause nightly-report --yes",
  ]))
    .argument("<name>", "its name")
    .action(async (name: string, options: Flags) => {
      const project = await connect(options);
      await confirm(`Pause ${name}?`, options.yes);
      const paused = await project.write<boolean>("pause_schedule", { p_name: name });
      if (!paused) throw none(name);
      await printDone({ paused }, options, `Paused ${name}.`);
    });
}

function resume(parent: Command): void {
  command(parent, "resume", "End its pause; what it was due for meanwhile is left out.", [
    "dibs schedules resume nightly-report",
  ])
    .argument("<name>", "its name")
    .action(async (name: string, options: Options) => {
      const project = await connect(options);
      const answer = await project.write<string | null>("resume_schedule", { p_name: name });
      if (answer === null) throw none(name);
      const next_tick = new Date(answer).toISOString();
      await printDone({ next_tick }, options, `Resumed ${name}; it is due ${relative(next_tick)}.`);
    });
}

function none(name: string): Failure {
  return new Failure(
    EXIT.nothing,
    `There is no schedule ${name}.`,
    "`dibs schedules list` has them.",
  );
}

const COLUMNS: Column<Schedule>[] = [
  { title: "NAME", of: ({ name }) => name },
  { title: "CRON", of: ({ cron }) => cron },
  { title: "ZONE", of: ({ time_zone }) => time_zone },
  { title: "TYPE", of: ({ type }) => type },
  {
    title: "NEXT",
    of: ({ paused, next_ticks }) => paused ? "paused" : relative(next_ticks?.[0]),
    paint: (text, { paused }) => paused ? paint.yellow(text) : text,
  },
  { title: "LAST", of: ({ last_tick }) => relative(last_tick) },
  { title: "PROBLEM", of: ({ problem }) => problem ?? "", paint: (text) => paint.red(text) },
];
