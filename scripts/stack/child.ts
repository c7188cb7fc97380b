// What the stack's processes share: settings come from the environment, and a process ends when
// its standard input does, which is when its supervisor ends, even by SIGKILL.

/** A setting the supervisor always gives. */
export function setting(name: string): string {
  const value = Deno.env.get(name);
  if (value === undefined) throw new Error(`${name} is not set: start the stack with npm start`);
  return value;
}

/** Ends this process when its supervisor has ended, after `cleanUp`. */
export async function runUntilParentEnds(cleanUp?: () => Promise<void>): Promise<never> {
  for await (const _ of Deno.stdin.readable);
  await cleanUp?.();
  Deno.exit(0);
}
