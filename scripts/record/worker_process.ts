import { fileURLToPath } from "node:url";
import { tail } from "../stack/processes.ts";

/** Longer than any of its handlers takes. */
const STOP_MS = 15_000;

/** One worker process. */
export interface WorkerProcess {
  name: string;
  pid: number;
  log: string;
  /** Set once it has ended. */
  readonly exitCode: number | null;
  /** The end of that. */
  lastWords(): Promise<string>;
  /** SIGSTOP, and SIGCONT. */
  freeze(): void;
  thaw(): void;
  /** SIGURG, which who does not listen yet ignores. */
  poke(): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Lets it finish what it runs and hand back the rest: SIGTERM, or the end of its input. */
  terminate(): Promise<void>;
  stop(): Promise<void>;
}

/** What a worker process is started with. */
export interface WorkerOptions {
  program: URL;
  /** The project, and its secret key. */
  url: string;
  secretKey: string;
  record: string;
  /** The file that takes what it prints. */
  log: string;
  leaseSeconds: number;
  env?: Record<string, string>;
}

/** Starts a worker that writes what it does into a record. */
export function startWorker(
  name: string,
  { program, url, secretKey, record, log, leaseSeconds, env }: WorkerOptions,
): WorkerProcess {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--no-lock",
      "--quiet",
      fileURLToPath(program),
    ],
    env: {
      ...env,
      SUPABASE_URL: url,
      SUPABASE_SECRET_KEY: secretKey,
      DIBS_RECORD: record,
      DIBS_WORKER_ID: name,
      DIBS_LEASE_SECONDS: String(leaseSeconds),
      NO_COLOR: "1",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    // Ctrl-C in a terminal must reach the demonstration alone, which stops its workers itself.
    detached: true,
  }).spawn();
  const logged = Promise.all([child.stdout, child.stderr].map((output) => append(output, log)));
  let exitCode: number | null = null;
  const ended = Promise.all([child.status, logged]).then(([status]) => {
    exitCode = status.code;
  });
  return {
    name,
    pid: child.pid,
    log,
    get exitCode() {
      return exitCode;
    },
    lastWords: () => tail(log),
    freeze: () => signal(child, "SIGSTOP"),
    thaw: () => signal(child, "SIGCONT"),
    poke: () => signal(child, "SIGURG"),
    async kill() {
      signal(child, "SIGKILL");
      await ended;
    },
    async terminate() {
      signal(child, "SIGTERM");
      await endedInTime();
    },
    async stop() {
      await child.stdin.close().catch(() => {});
      signal(child, "SIGCONT");
      await endedInTime();
    },
  };

  async function endedInTime(): Promise<void> {
    const timer = setTimeout(() => signal(child, "SIGKILL"), STOP_MS);
    await ended.finally(() => clearTimeout(timer));
  }
}

/** It may have ended a moment ago. */
function signal(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    child.kill(name);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

async function append(output: ReadableStream<Uint8Array>, log: string): Promise<void> {
  const file = await Deno.open(log, { create: true, append: true });
  await output.pipeTo(file.writable);
}
