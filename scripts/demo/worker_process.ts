import { fileURLToPath } from "node:url";
import { tail } from "../stack/processes.ts";
import type { Stack } from "../stack/stack.ts";

/** Longer than any of its handlers takes. */
const STOP_MS = 15_000;

/** One worker process. */
export interface WorkerProcess {
  name: string;
  pid: number;
  /** The file that takes what it prints. */
  log: string;
  /** Set once it has ended. */
  readonly exitCode: number | null;
  /** The end of that. */
  lastWords(): Promise<string>;
  /** SIGSTOP, and SIGCONT. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Lets it finish what it runs and hand back the rest. */
  stop(): Promise<void>;
}

/** Starts a worker of the demonstration. */
export function startWorker(
  name: string,
  { stack, record, log, leaseSeconds }: {
    stack: Stack;
    record: string;
    log: string;
    leaseSeconds: number;
  },
): WorkerProcess {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--no-lock",
      "--quiet",
      fileURLToPath(new URL("worker.ts", import.meta.url)),
    ],
    env: {
      SUPABASE_URL: stack.url,
      SUPABASE_SECRET_KEY: stack.secretKey,
      DIBS_MAIL_URL: stack.mailUrl,
      DIBS_DEMO_RECORD: record,
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
    async kill() {
      signal(child, "SIGKILL");
      await ended;
    },
    async stop() {
      await child.stdin.close().catch(() => {});
      signal(child, "SIGCONT");
      const timer = setTimeout(() => signal(child, "SIGKILL"), STOP_MS);
      await ended.finally(() => clearTimeout(timer));
    },
  };
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
