/** Stands before a PostgreSQL, and answers nothing on the first connections. */
export function muteAtFirst(server: URL, mute: number): { url: string } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const relaying = (async () => {
    const ends = [];
    let connections = 0;
    for await (const client of listener) {
      const isMute = ++connections <= mute;
      ends.push(relay(client, isMute ? null : Number(server.port)).catch(() => {}));
    }
    await Promise.all(ends);
  })();
  const url = Object.assign(new URL(server), { port: String(listener.addr.port) });
  // The driver gives up by itself only on connections that are not made yet, as these are.
  url.searchParams.set("connect_timeout", "600");
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      listener.close();
      await relaying;
    },
  };
}

async function relay(client: Deno.TcpConn, port: number | null): Promise<void> {
  if (port === null) return await client.readable.pipeTo(new WritableStream());
  const server = await Deno.connect({ hostname: "127.0.0.1", port });
  await Promise.allSettled([
    client.readable.pipeTo(server.writable),
    server.readable.pipeTo(client.writable),
  ]);
}
