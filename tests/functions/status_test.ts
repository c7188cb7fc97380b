import assert from "node:assert/strict";
import { ErrorBody, Status } from "../../functions/_shared/schemas.ts";
import { type Callable, post, send } from "../support/endpoints.ts";
import { parseMetrics, PROMETHEUS_ACCEPT } from "../support/prometheus.ts";
import { sharedStack } from "../support/stack.ts";

Deno.test("status shows who holds what, in the shape that is documented", async () => {
  const stack = sharedStack();
  const worker_id = `status_test_${crypto.randomUUID()}`;
  await post(stack, "enqueue", { tasks: Array(3).fill({ type: worker_id }) });
  await post(stack, "claim", { worker_id, types: [worker_id], limit: 2 });
  const { status, json } = await send(stack, "status", { method: "GET" });
  assert.equal(status, 200);
  const { workers, tasks } = Status.parse(json);
  assert.equal(workers.find((worker) => worker.worker_id === worker_id)?.tasks, 2);
  assert.ok(tasks!.processing >= 2);
});

Deno.test("Prometheus is answered in its format, as it asks for it, and a person who names it", async () => {
  const stack = sharedStack();
  const scraped = await ask(stack, "", { accept: PROMETHEUS_ACCEPT });
  assert.equal(scraped.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const named = await ask(stack, "?format=prometheus", { accept: "application/json" });
  for (const { status, text } of [scraped, named]) {
    assert.equal(status, 200);
    const families = parseMetrics(text);
    assert.ok(text.endsWith("\n"));
    assert.ok(
      families.every(({ name, help, type }) => /^dibs_[a-z_]+$/.test(name) && help && type),
    );
    assert.ok(
      Number(families.find(({ name }) => name === "dibs_build_info")!.metrics[0].value) === 1,
    );
  }
});

Deno.test("everybody else gets JSON, and Prometheus too when it names that", async () => {
  const stack = sharedStack();
  for (
    const [query, headers] of [
      ["", {}],
      ["", { accept: "*/*" }],
      ["", { accept: "application/json, text/plain, */*" }],
      ["?format=json", { accept: PROMETHEUS_ACCEPT }],
    ] as const
  ) {
    const { text, headers: answered } = await ask(stack, query, headers);
    assert.equal(answered.get("content-type"), "application/json");
    Status.parse(JSON.parse(text));
  }
});

Deno.test("a format that there is not is refused with its path, whoever asks", async () => {
  const { status, text } = await ask(sharedStack(), "?format=xml", { accept: PROMETHEUS_ACCEPT });
  assert.equal(status, 400);
  const { code, message } = ErrorBody.parse(JSON.parse(text));
  assert.equal(code, "bad_request");
  assert.match(message, /^format: .*"json"\|"prometheus"/);
});

Deno.test("who has no secret key gets no metrics", async () => {
  const stack = sharedStack();
  const strangers: Record<string, string>[] = [
    { apikey: "" },
    { apikey: "", authorization: `Bearer ${stack.secretKey}` },
    { apikey: "sb_secret_wrong" },
  ];
  for (const headers of strangers) {
    const { status, text } = await ask(stack, "?format=prometheus", headers);
    assert.equal(status, 401);
    assert.doesNotMatch(text, /dibs_/);
  }
});

async function ask(stack: Callable, query: string, headers: Record<string, string>) {
  const response = await fetch(`${stack.url}/functions/v1/status${query}`, {
    headers: { apikey: stack.secretKey, ...headers },
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
