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
  Deno.kill(pid, signal);
  while (stack.pids[name] === pid && Date.now() < patience) await delay(LOOK_EVERY_MS);
  busy.delete(name);
}
