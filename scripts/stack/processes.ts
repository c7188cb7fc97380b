import { delay } from "@std/async/delay";
import { fileURLToPath } from "node:url";
import { announcement } from "./child.ts";

/** A process the stack started. */
export interface Process {
  pid: number;
  /** Where it serves on 127.0.0.1. */
  port: number;
  /** Settles when it has ended, whoever ended it. */
  exited: Promise<unknown>;
  stop(): Promise<void>;
}

/** How one of the stack's own programs is run. */
export interface ProgramOptions {
  /** The program, next to this file. */
  program: string;
  /** Where it serves on 127.0.0.1; it counts as started once it says so. */
  port: number;
  env: Record<string, string>;
  /** The file that takes what it prints. */
  log: string;
  /** A module that runs before it. */
  preload?: string;
  /** Another Deno than this process runs on. */
  deno?: string;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Starts a process, and starts it again whenever it ends, until it is stopped. `start` is given
 * no port the first time, and the first one's port from then on.
 */
export async function keepRunning(
  start: (port?: number) => Promise<Process>,
): Promise<{ readonly pid: number; readonly port: number; stop(): Promise<void> }> {
  let process = await start();
  const { port } = process;
  const stopping = new AbortController();
  const watching = watch();
  return {
    get pid() {
      return process.pid;
    },
    port,
    async stop() {
      stopping.abort();
      await process.stop();
      await watching;
      // It may have been on its way up when the abort came.
      await process.stop();
    },
  };

  async function watch() {
    let pause = FIRST_PAUSE_MS;
    while (true) {
      const started = Date.now();
      await process.exited;
      if (Date.now() - started > LONGEST_PAUSE_MS) pause = FIRST_PAUSE_MS;
      await delay(pause, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
      process = await start(port).catch((error) => {
        console.error(error.message);
        return { ...process, exited: Promise.resolve() };
      });
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }
  }
}

/** Starts one of the stack's own programs. It ends when it is stopped, or with this process. */
export async function startProgram(
  { program, port, env, log, preload, deno = Deno.execPath() }: ProgramOptions,
): Promise<Process> {
  const child = new Deno.Command(deno, {
    args: [
      "run",
      "--allow-all",
      "--no-lock",
      "--quiet",
      ...(preload ? ["--preload", preload] : []),
      fileURLToPath(new URL(program, import.meta.url)),
    ],
    env: { ...env, DIBS_PORT: String(port), NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    // Ctrl-C in a terminal must reach the stack alone, which stops its programs in order.
    detached: true,
  }).spawn();
  const [output, announcing] = child.stdout.tee();
  const logged = Promise.all([append(output, log), append(child.stderr, log)]);
  const stop = async () => {
    await child.stdin.close().catch(() => {});
    await child.status;
  };
  const exited = Promise.all([child.status, logged]).then(stop);

  if (!await says(announcing, announcement(port))) {
    await exited;
    throw new Error(`${program} did not start. The end of ${log}:\n${await tail(log)}`);
  }
  return { pid: child.pid, port, exited, stop };
}

async function append(output: ReadableStream<Uint8Array>, log: string): Promise<void> {
  using file = await Deno.open(log, { create: true, append: true });
  for await (const chunk of output) await file.write(chunk);
}

/** Reads up to the line, or to the end when it does not come. */
async function says(output: ReadableStream<Uint8Array<ArrayBuffer>>, line: string) {
  let text = "\n";
  for await (const part of output.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes(`\n${line}\n`)) return true;
  }
  return false;
}

/** The last lines of a log. */
export async function tail(log: string): Promise<string> {
  return (await Deno.readTextFile(log)).trimEnd().split("\n").slice(-10).join("\n");
}
