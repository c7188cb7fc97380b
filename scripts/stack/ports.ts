/** The wished port when nobody has it, else a free one. */
export function choosePort(wished = 0): number {
  try {
    return listenOnce(wished);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return listenOnce(0);
    throw error;
  }
}

function listenOnce(port: number): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port });
  return listener.addr.port;
}
