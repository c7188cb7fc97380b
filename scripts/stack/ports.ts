/** A port on 127.0.0.1 that nobody else gets until it is released. */
export interface HeldPort extends Disposable {
  port: number;
  /** To be called just before its program is started; more often does no harm. */
  release(): void;
}

/** Holds the wished port when nobody has it, else a free one. */
export function holdPort(wished = 0): HeldPort {
  const listener = listen(wished);
  const release = () => listener[Symbol.dispose]();
  return { port: listener.addr.port, release, [Symbol.dispose]: release };
}

/** A port that was free a moment ago: whoever uses it must be ready to find it taken. */
export function choosePort(): number {
  using held = holdPort();
  return held.port;
}

function listen(port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse && port !== 0) return listen(0);
    throw error;
  }
}
