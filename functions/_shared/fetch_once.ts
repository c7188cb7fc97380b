/**
 * `fetch` that never sends a request twice. Deno's own does, silently, when the connection breaks before
 * the answer has come, though the other side may have done what was asked. It can only repeat a body that
 * it can read again, so this one is a stream.
 */
export function fetchOnce(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  if (request.method === "GET" || request.method === "HEAD") return fetch(request);
  const body = request.body?.pipeThrough(new TransformStream()) ?? new Blob().stream();
  return fetch(request, { body });
}
