import assert from "node:assert/strict";
import { fetchOnce } from "../../functions/_shared/fetch_once.ts";

Deno.test("a request whose answer never comes is sent once, whatever it carries", async () => {
  for (const body of ['{"to": "ada"}', undefined, new URLSearchParams({ to: "ada" })]) {
    await using server = startCareless({ answers: 1 });
    // The second one goes over the connection of the first, as most do.
    assert.equal(await (await fetchOnce(server.url, { method: "POST", body })).text(), "ok");
    await assert.rejects(() => fetchOnce(server.url, { method: "POST", body }));
    assert.equal(server.requests(), 2, `body ${body}`);
  }
});

Deno.test("it sends what fetch would send", async () => {
  const seen: Record<string, unknown>[] = [];
  await using server = Deno.serve({ port: 0, onListen: () => {} }, async (request) => {
    const { method, headers } = request;
    seen.push({
      method,
      type: headers.get("content-type"),
      key: headers.get("x-key"),
      body: await request.text(),
    });
    return new Response();
  });
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const requests: [string, RequestInit?][] = [
    [url],
    [url, { method: "POST", body: "text", headers: { "x-key": "1" } }],
    [url, { method: "PUT", body: new URLSearchParams({ a: "b" }) }],
    [url, { method: "DELETE" }],
  ];
  for (const [input, init] of requests) {
    await (await fetch(input, init)).body?.cancel();
    await (await fetchOnce(input, init)).body?.cancel();
    assert.deepEqual(seen[1], seen[0]);
    seen.splice(0);
  }
  await (await fetchOnce(new Request(url, { method: "POST", body: "text" }))).body?.cancel();
  assert.equal(seen[0].body, "text");
});

/** A server that answers so many requests, and hangs up on those that follow. */
function startCareless({ answers }: { answers: number }) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let requests = 0;
  const answer = new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  const serving = (async () => {
    for await (const connection of listener) void serve(connection);
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}/`,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving.catch(() => {});
    },
  };

  async function serve(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(65536);
    for (let length; (length = await connection.read(buffer).catch(() => null)) !== null;) {
      const text = new TextDecoder().decode(buffer.subarray(0, length));
      if (!text.startsWith("POST")) continue;
      if (++requests > answers) break;
      await connection.write(answer);
    }
    connection.close();
  }
}
