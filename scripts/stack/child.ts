// What the stack's processes share: settings come from the environment, the supervisor is told on
// standard output when a program serves, and a process ends when its standard input does, which is
// when its supervisor ends, even by SIGKILL.

/** A setting the supervisor always gives. */
export function setting(name: string): string {
  const value = Deno.env.get(name);
  if (value === undefined) throw new Error(`${name} is not set: start the stack with npm start`);
  return value;
}

/** What a program says once it serves: that its port answers might be somebody else's doing. */
export function announcement(port: number): string {
  return `Serving on 127.0.0.1:${port}`;
}

/** Serves on the port the supervisor gave, and says so; ends this process when it is taken. */
export function serve(handler: Deno.ServeHandler<Deno.NetAddr>): void {
  const port = Number(setting("DIBS_PORT"));
  try {
    const onListen = () => console.log(announcement(port));
    Deno.serve({ hostname: "127.0.0.1", port, onListen }, handler);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    console.error(`Port ${port} is taken by another program.`);
    Deno.exit(1);
  }
}

/** Ends this process when its supervisor has ended, after `cleanUp`. */
export async function runUntilParentEnds(cleanUp?: () => Promise<void>): Promise<never> {
  for await (const _ of Deno.stdin.readable);
  await cleanUp?.();
  Deno.exit(0);
}
