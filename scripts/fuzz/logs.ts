import { delay } from "@std/async/delay";
import { join } from "node:path";
import { canariesIn, leakIn } from "./request.ts";

/** A line that no log may have. */
export interface BadLine {
  log: string;
  line: string;
  why: string;
  /** The numbers of the requests it came with, where it tells. */
  from: number[];
}

const FILES = ["functions.log", "gateway.log", "postgres/postgres.log"];
const LOOK_EVERY_MS = 5;
/** Longer than any drain may go on. */
const PATIENCE_MS = 600_000;

/** Reads a stack's logs while they grow: for canaries, and for drains that go on in the background. */
export class Logs implements Disposable {
  readonly #logs: { name: string; file: Deno.FsFile; rest: string; decoder: TextDecoder }[];
  readonly #runs = new Set<string>();
  readonly #said = new Set<string>();

  constructor(stateDir: string) {
    this.#logs = FILES.map((name) => ({
      name,
      file: Deno.openSync(join(stateDir, name)),
      rest: "",
      decoder: new TextDecoder(),
    }));
  }

  /** The bad ones of the lines that have come since this was called last. */
  async news(): Promise<BadLine[]> {
    const bad: BadLine[] = [];
    for (const log of this.#logs) {
      const lines = (log.rest + await readOn(log.file, log.decoder)).split("\n");
      log.rest = lines.pop()!;
      for (const line of lines) {
        if (log.name === "functions.log") this.#follow(line);
        const why = objection(log.name, line);
        const shown = leakIn(line) ?? line.slice(0, 300);
        if (why) bad.push({ log: log.name, line: shown, why, from: canariesIn(line) });
      }
    }
    return bad;
  }

  /** Reads until it has come to the line of a request that was answered, and every drain has ended. */
  async untilQuiet(answered: string): Promise<BadLine[]> {
    const bad: BadLine[] = [];
    const until = Date.now() + PATIENCE_MS;
    while (true) {
      bad.push(...await this.news());
      if (this.#said.has(answered) && this.#runs.size === 0) break;
      if (Date.now() > until) throw new Error(`${this.#runs.size} drains do not end.`);
      await delay(LOOK_EVERY_MS);
    }
    this.#said.clear();
    return bad;
  }

  #follow(line: string): void {
    const { event, run_id, status, request_id } = parsed(line);
    if (event === "request") this.#said.add(request_id);
    if (!run_id) return;
    if (event === "request" && status === 202) this.#runs.add(run_id);
    if (event === "drained" || event === "drain_failed") this.#runs.delete(run_id);
  }

  [Symbol.dispose](): void {
    for (const { file } of this.#logs) file.close();
  }
}

function objection(log: string, line: string): string | null {
  if (leakIn(line)) return "holds what was sent";
  // The functions log one object a line; anything else is an error that nobody expected.
  if (log !== "functions.log" || /^\{"level":.*\}$|^Serving on |^$/.test(line)) return null;
  return "is none that a function writes";
}

function parsed(line: string) {
  try {
    return JSON.parse(line) ?? {};
  } catch {
    return {};
  }
}

async function readOn(file: Deno.FsFile, decoder: TextDecoder): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(65_536);
  for (let size = await file.read(buffer); size; size = await file.read(buffer)) {
    text += decoder.decode(buffer.subarray(0, size), { stream: true });
  }
  return text;
}
