// What really happened, written down by those who did it: a file of its own, to which every process
// appends a line before and after each piece of work. Nothing in it comes from Dibs's tables.
// The lines are in the order of the events whatever the clocks say, and they outlive a SIGKILL of
// their writer, since each is handed to the operating system in one write before work goes on.

import { TextLineStream } from "@std/streams/text-line-stream";
import type { Outcome } from "../../functions/_shared/schemas.ts";

/** The two kinds of work. */
export type Surface = "tasks" | "thoughts";

/** Under this name the record knows whatever ran in the functions' process. */
export const DRAINS = "drains";

/** What a worker says came of an item. */
export type Ending = Outcome["status"];

/** Who records, and where. */
export interface Recorder {
  file: string;
  by: string;
}

/** One line. An item is what whoever enqueued it calls it, `by` the worker the line is about. */
export type Line =
  & { at: number }
  & (
    | { kind: "enqueued"; surface: Surface; items: string[] }
    | { kind: "granted"; limit: number } & Leased
    | { kind: "renewed" } & Leased
    | { kind: "settling" } & Held
    | {
      kind: "settled";
      surface: Surface;
      by: string;
      fence: string;
      accepted: Record<string, Ending>;
      /** What comes too late. */
      refused: string[];
    }
    | {
      kind: "began";
      execution: string;
      item: string;
      by: string;
      attempt: number;
      /** Left out by those who are not told. */
      fence?: string;
    }
    | { kind: "ended"; execution: string; succeeded: boolean }
    | { kind: "killed"; by: string }
    | { kind: "terminated" | "frozen" | "thawed"; by: string }
  );

interface Held {
  surface: Surface;
  by: string;
  fence: string;
  items: string[];
}

interface Leased extends Held {
  /** When it was asked for, before the call. */
  asked: number;
  leaseMs: number;
}

/** The clock of the record: the machine's, taken before anybody could put a wrong one in its place. */
export const now = Date.now;

/** A line before it is dated. */
export type Entry = Line extends infer L ? L extends Line ? Omit<L, "at"> : never : never;

/** Begins an empty record. */
export function openRecord(file: string): void {
  Deno.writeTextFileSync(file, "");
}

/** Appends a line; false, and nothing written, when no record is open. */
export function write(file: string, entry: Entry): boolean {
  try {
    using record = Deno.openSync(file, { append: true });
    record.writeSync(new TextEncoder().encode(JSON.stringify({ ...entry, at: now() }) + "\n"));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Closes a record by moving it away: from then on, nobody finds one to write to. */
export async function closeRecord(file: string, kept: string): Promise<void> {
  await Deno.rename(file, kept);
}

/** All lines of a record, one after the other: it may be larger than memory. */
export async function* readRecord(file: string): AsyncIterable<Line> {
  const record = await Deno.open(file);
  const texts = record.readable.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const text of texts) yield JSON.parse(text);
}

/** Returns, at each call, the lines written since the last one. */
export function followRecord(file: string): () => Promise<Line[]> {
  let position = 0;
  let rest = "";
  return async () => {
    const record = await Deno.open(file);
    await record.seek(position, Deno.SeekMode.Start);
    const bytes = await new Response(record.readable).bytes();
    position += bytes.length;
    const lines = (rest + new TextDecoder().decode(bytes)).split("\n");
    rest = lines.pop()!;
    return lines.map((line) => JSON.parse(line));
  };
}
