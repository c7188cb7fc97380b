import { delay } from "@std/async/delay";
import type { Stack } from "../stack/stack.ts";

const LOOK_EVERY_MS = 50;
const LONGEST_MS = 60_000;

const ending = new WeakMap<Stack, Set<string>>();

/** Ends one of the stack's processes, unless it is being ended, and waits for the next one. */
export async function endProcess(
  stack: Stack,
  name: keyof Stack["pids"],
  signal: Deno.Signal,
): Promise<void> {
  const busy = ending.get(stack) ?? new Set();
  if (busy.has(name)) return;
  ending.set(stack, busy.add(name));
  const pid = stack.pids[name];
  const patience = Date.now() + LONGEST_MS;
  kill(pid, signal);
  while (stack.pids[name] === pid && Date.now() < patience) await delay(LOOK_EVERY_MS);
  busy.delete(name);
}

/** One that has just ended by itself is as good as killed: the stack is starting it again. */
function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
