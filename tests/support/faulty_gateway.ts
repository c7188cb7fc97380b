/** Answers in the place of a function, or changes what it answered. */
type Fault = (answer: () => Promise<Response>) => Response | Promise<Response>;

/** Stands before a stack. Functions of which it has no fault answer as ever. */
export function faultyGateway(
  url: string,
): { url: string; faults: Map<string, Fault> } & AsyncDisposable {
  const faults = new Map<string, Fault>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    const answer = async () => {
      const headers = new Headers(request.headers);
      headers.delete("host");
      headers.set("accept-encoding", "identity");
      const { method } = request;
      const body = method === "GET" ? null : await request.bytes();
      return await fetch(url + pathname, { method, headers, body });
    };
    return (faults.get(pathname.split("/").at(-1)!) ?? ((answer) => answer()))(answer);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    faults,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
