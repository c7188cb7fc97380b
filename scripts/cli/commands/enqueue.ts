import { TextLineStream } from "@std/streams/text-line-stream";
import { type Command, InvalidArgumentError } from "commander";
import { command, connect, json, type Options, wholeNumberTo } from "../command.ts";
import { EXIT, Failure } from "../exit_codes.ts";
import { moment } from "../filter.ts";
import { type Column, printRows } from "../output.ts";
import type { Project } from "../project.ts";

interface Flags extends Options {
  payload?: unknown;
  priority?: number;
  runAt?: string;
  maxAttempts?: number;
  uniqueKey?: string;
  key?: string;
  orderKey?: string;
  from?: string;
}

/** A row of `enqueue_tasks`. */
interface Enqueued {
  id: string;
  deduplicated: boolean;
  replaced: boolean;
}

/** The most that one call takes. */
const BATCH = 1000;

export function enqueue(program: Command): void {
  command(program, "enqueue", "Enqueue a task, or one for each line of standard input.", [
    'dibs enqueue email --payload \'{"to": "ada@example.org"}\'',
    "dibs enqueue report --run-at 2026-12-01T08:00:00Z --unique-key report-december",
    'echo \'{"type": "email", "payload": {"to": 1}}\' | dibs enqueue --from -',
  ])
    .argument("[type]", "its type")
    .option("--payload <json>", "its payload", json)
    .option("--priority <n>", "smaller ones go first", priority)
    .option("--run-at <time>", "not before then, in ISO 8601", moment)
    .option("--max-attempts <n>", "failures until it is failed for good", wholeNumberTo(100))
    .option("--unique-key <key>", "none is made while one of this type and key has not ended")
    .option("--key <key>", "whom limits and rates count it for")
    .option("--order-key <key>", "one after the other within this key")
    .option("--from <->", "from standard input, a task a line, with the fields of enqueue_tasks")
    .action(async (type: string | undefined, flags: Flags) => {
      if ((type === undefined) === (flags.from === undefined)) {
        throw new Failure(EXIT.wrongUse, "Give either a type, or --from - for tasks from stdin.");
      }
      if (flags.from !== undefined && flags.from !== "-") {
        throw new Failure(EXIT.wrongUse, "--from: only - is known, which is standard input.");
      }
      const project = await connect(flags);
      const batches = type === undefined ? batchesOf(Deno.stdin.readable) : [[taskOf(type, flags)]];
      const enqueued = await printRows(send(project, batches), COLUMNS, flags);
      if (enqueued === 0) throw new Failure(EXIT.nothing, "There was no task to enqueue.");
    });
}

/** Each batch is all or none; a request id lets a call be repeated whose answer was lost. */
async function* send(
  project: Project,
  batches: Iterable<unknown[]> | AsyncIterable<unknown[]>,
): AsyncGenerator<Enqueued[]> {
  for await (const p_tasks of batches) {
    const p_request_id = crypto.randomUUID();
    yield await project.read<Enqueued[]>("enqueue_tasks", { p_tasks, p_request_id });
  }
}

function taskOf(type: string, flags: Flags): Record<string, unknown> {
  const { payload, priority, runAt, maxAttempts, uniqueKey, key, orderKey } = flags;
  return {
    type,
    payload,
    priority,
    run_at: runAt,
    max_attempts: maxAttempts,
    unique_key: uniqueKey,
    key,
    order_key: orderKey,
  };
}

async function* batchesOf(input: ReadableStream<Uint8Array<ArrayBuffer>>) {
  const lines = input.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  let batch: unknown[] = [];
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === "") continue;
    batch.push(parse(line, number));
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function parse(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Failure(EXIT.wrongUse, `Line ${number} of standard input is not JSON.`);
  }
}

function priority(text: string): number {
  if (/^-?\d{1,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Give a whole number from -32768 to 32767.");
}

const COLUMNS: Column<Enqueued>[] = [
  { title: "ID", of: ({ id }) => id, whole: true },
  {
    title: "",
    of: ({ deduplicated, replaced }) => replaced ? "replaced" : deduplicated ? "was there" : "",
  },
];
