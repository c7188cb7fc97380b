import { type Command, InvalidArgumentError } from "commander";
import { SingleBar } from "cli-progress";
import { count } from "../../numbers.ts";
import { command, connect, dangerous, type Options, uuids, wholeNumberTo } from "../command.ts";
import { confirm } from "../confirm.ts";
import { EXIT, Failure } from "../exit_codes.ts";
import { filtered, type FilterFlags, filterOf, isEmpty } from "../filter.ts";
import { printDone } from "../output.ts";

/** What the functions answer that change many tasks. */
interface Answer {
  dry_run: boolean;
  tasks: number;
  sample: string[];
  more: boolean;
  last_run_at?: string;
}

type Flags = Options & FilterFlags & {
  yes?: boolean;
  dryRun?: boolean;
  limit?: number;
  toType?: string;
  perSecond?: number;
};

interface Change {
  verb: string;
  done: string;
  description: string;
  /** The SQL function. */
  by: string;
  examples: string[];
}

/** The most that one call changes. */
const BATCH = 1000;

const RETRY: Change = {
  verb: "retry",
  done: "retried",
  description: "Let tasks that failed or were cancelled run again, now, with all attempts anew.",
  by: "retry_tasks_where",
  examples: ["dibs tasks retry <id> <id>", "dibs tasks retry --type email --status failed --yes"],
};
const CANCEL: Change = {
  verb: "cancel",
  done: "cancelled",
  description:
    "Cancel tasks that have not ended. Who works on one learns so at the next heartbeat.",
  by: "cancel_tasks_where",
  examples: ["dibs tasks cancel <id>", "dibs tasks cancel --type import --dry-run"],
};
const REDRIVE: Change = {
  verb: "redrive",
  done: "redriven",
  description: "Let tasks that failed for good run again, at a rate, as another type if wanted.",
  by: "redrive_tasks",
  examples: [
    "dibs tasks redrive <id>",
    "dibs tasks redrive --error '%503%' --per-second 5",
    "dibs tasks redrive --type email --to-type email_v2 --yes",
  ],
};

/** The commands that change tasks: those named, or all that fit. */
export function changes(parent: Command): void {
  add(parent, RETRY);
  add(parent, CANCEL);
  add(parent, REDRIVE)
    .option("--per-second <n>", "so many become due each second", rate)
    .option("--to-type <type>", "they become tasks of this type");
}

function add(parent: Command, change: Change): Command {
  const made = command(parent, change.verb, change.description, change.examples);
  return dangerous(filtered(made))
    .argument("[ids...]", "tasks; or say by options which are meant", uuids)
    .option("--limit <n>", "the most to change (default: all that fit)", wholeNumberTo(10_000_000))
    .option("--dry-run", "only say what would be changed")
    .action((ids: string[] | undefined, flags: Flags) => carryOut(change, ids ?? [], flags));
}

async function carryOut(change: Change, ids: string[], flags: Flags): Promise<void> {
  const filter = filterOf(flags, ids);
  if (isEmpty(filter)) {
    throw new Failure(
      EXIT.wrongUse,
      `Say which tasks to ${change.verb}: by id, or by options such as --type or --status.`,
    );
  }
  const project = await connect(flags);
  const most = flags.limit ?? Infinity;
  const call = (limit: number, dryRun: boolean, start?: string) =>
    project.write<Answer>(change.by, {
      p_filter: filter,
      p_dry_run: dryRun,
      p_limit: limit,
      ...change === REDRIVE && {
        p_type: flags.toType,
        p_per_second: flags.perSecond,
        p_start: start,
      },
    });
  const planned = await call(BATCH, true);
  if (planned.tasks === 0) {
    throw new Failure(EXIT.nothing, `Nothing fits that can be ${change.done}.`);
  }
  const many = count(Math.min(planned.tasks, most), "task");
  if (flags.dryRun) {
    return await printDone(planned, flags, `${many} would be ${change.done}.`);
  }
  await confirm(`${change.verb[0].toUpperCase()}${change.verb.slice(1)} ${many}?`, flags.yes);
  const done = await inBatches(call, most, Math.min(planned.tasks, most));
  await printDone(done, flags, `${count(done.tasks, "task")} ${change.done}.`);
  if (done.more && done.tasks < most) {
    throw new Failure(EXIT.failed, "Some are in other hands this moment.", "Repeat it in a while.");
  }
}

/** Until nothing is left, or what is left cannot be had this moment. */
async function inBatches(
  call: (limit: number, dryRun: boolean, start?: string) => Promise<Answer>,
  most: number,
  planned: number,
): Promise<Answer> {
  const bar = Deno.stderr.isTerminal() && planned > BATCH
    ? new SingleBar({ format: "{bar} {value}", clearOnComplete: true })
    : null;
  bar?.start(planned, 0);
  const total: Answer = { dry_run: false, tasks: 0, sample: [], more: true };
  while (total.more && total.tasks < most) {
    const { tasks, sample, more, last_run_at } = await call(
      Math.min(BATCH, most - total.tasks),
      false,
      total.last_run_at,
    );
    total.tasks += tasks;
    total.sample = [...total.sample, ...sample].slice(0, 10);
    total.more = more;
    if (last_run_at) total.last_run_at = last_run_at;
    bar?.update(Math.min(total.tasks, planned));
    if (tasks === 0) break;
  }
  bar?.stop();
  return total;
}

function rate(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Give a number greater than 0.");
}
