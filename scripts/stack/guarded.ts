import { asServerUser } from "./server_user.ts";

/** A server that ends with this process, also when that is killed. */
export interface Guarded {
  /** Settles when it has ended, whoever ended it. */
  status: Promise<unknown>;
  stop(): Promise<void>;
}

/** Runs a server on files below `dir`, as a user that servers accept, with all it says in `log`. */
export async function startGuarded(
  command: string[],
  { dir, log, signal }: { dir: string; log: string; signal: "INT" | "KILL" },
): Promise<Guarded> {
  const [program, ...args] = await asServerUser(["sh", "-c", GUARD, log, signal, ...command], dir);
  // Detached: Ctrl-C in a terminal must reach the stack, which stops its servers last.
  const guard = new Deno.Command(program, {
    args,
    cwd: "/",
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  return {
    status: guard.status,
    async stop() {
      await guard.stdin.close().catch(() => {});
      await guard.status;
    },
  };
}

/** Runs the server ($2 …) with its log in $0 until it ends, or sends it $1 once stdin closes. */
const GUARD = `
signal=$1; shift
exec 3<&0
"$@" >>"$0" 2>&1 3<&- & server=$!
{ cat <&3 >/dev/null; kill -$signal $server; } 2>/dev/null & watch=$!
exec 3<&-
wait $server; code=$?
kill $watch 2>/dev/null
exit $code`;
