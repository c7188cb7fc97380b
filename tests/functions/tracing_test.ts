// What a process sees that has set up OpenTelemetry, with the real SDK: from enqueueing to the handler and back.
import { type SpanContext, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import assert from "node:assert/strict";
import { z } from "zod";
import { enqueue } from "../../functions/_shared/enqueue.ts";
import { defineTask, registryOf, type TaskHandler } from "../../functions/_shared/handler.ts";
import { remoteRpc } from "../../functions/_shared/rpc.ts";
import { spanContextOf, traceparentOf } from "../../functions/_shared/tracing.ts";
import { runWorker } from "../../functions/_shared/worker.ts";
import { chooseWork } from "../../functions/_shared/worker/choose.ts";
import { traced } from "../../functions/_shared/worker/traced.ts";
import { post, send } from "../support/endpoints.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { type FakeItem, FakeSource } from "../support/fake_source.ts";
import { sharedStack } from "../support/stack.ts";
import { telemetry } from "../support/telemetry.ts";
import { held } from "../support/worker.ts";

const log = { info() {}, error() {}, with: () => log };
const CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Deno.test("a handler's span is a child of the span that enqueued its task, and handlers see it as active", async () => {
  await using seen = telemetry();
  const type = newType();
  let active: SpanContext | undefined;
  let inner = "";
  await seen.tracer.startActiveSpan("request", async (request) => {
    await enqueue(rpc(), [{ type, payload: { n: 1 } }]);
    request.end();
  });
  const summary = await work(task(type, (_, { once: _once }) => {
    active = trace.getActiveSpan()?.spanContext();
    seen.tracer.startActiveSpan("inner", (span) => {
      inner = span.spanContext().traceId;
      span.end();
    });
    return Promise.resolve({});
  }));
  assert.equal(summary.completed, 1);

  const [request] = seen.spans("request");
  const [sent] = seen.spans(`enqueue ${type}`);
  const [processed] = seen.spans(`process ${type}`);
  const [claimed] = seen.spans("claim");
  assert.equal(sent.kind, SpanKind.PRODUCER);
  assert.equal(parentOf(sent), request.spanContext().spanId);
  assert.equal(processed.kind, SpanKind.CONSUMER);
  assert.equal(parentOf(processed), sent.spanContext().spanId);
  assert.equal(processed.spanContext().traceId, request.spanContext().traceId);
  assert.deepEqual(processed.links.map(linked), [claimed.spanContext().spanId]);
  assert.deepEqual(claimed.links.map(linked), [sent.spanContext().spanId]);
  assert.equal(active?.spanId, processed.spanContext().spanId);
  assert.equal(inner, processed.spanContext().traceId);
  assert.equal(processed.status.code, SpanStatusCode.UNSET);
  const id = sent.attributes["messaging.message.id"];
  assert.deepEqual(sent.attributes, {
    "messaging.system": "dibs",
    "messaging.operation.name": "enqueue",
    "messaging.operation.type": "send",
    "messaging.destination.name": type,
    "messaging.message.id": id,
  });
  assert.deepEqual(processed.attributes, {
    "messaging.system": "dibs",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.name": type,
    "messaging.message.id": id,
    "messaging.client.id": "tracing-test",
    "messaging.dibs.attempt": 1,
  });
  const settled = [...seen.spans("settle_and_claim"), ...seen.spans("settle")];
  assert.deepEqual(settled.map(({ kind }) => kind), [SpanKind.CLIENT]);
  assert.equal(settled[0].attributes["messaging.batch.message_count"], 1);
});

Deno.test("the payload is what it was, and every attempt belongs to the trace of whoever enqueued", async () => {
  await using seen = telemetry();
  const type = newType();
  const payloads: unknown[] = [];
  const stack = sharedStack();
  const { json } = await send(stack, "enqueue", {
    headers: { traceparent: CALLER },
    body: JSON.stringify({ tasks: Array(3).fill({ type, payload: { a: 1 } }) }),
  });
  const summary = await work(task(type, (payload) => {
    payloads.push(payload);
    return Promise.resolve();
  }));
  assert.equal(summary.completed, 3);
  assert.deepEqual(payloads, Array(3).fill({ a: 1 }));
  const processed = seen.spans(`process ${type}`);
  assert.deepEqual(
    processed.map(({ attributes }) => attributes["messaging.message.id"]).sort(),
    json.tasks.map(({ id }: { id: string }) => id).sort(),
  );
  for (const span of processed) {
    assert.equal(span.spanContext().traceId, spanContextOf(CALLER)!.traceId);
    assert.equal(parentOf(span), spanContextOf(CALLER)!.spanId);
  }
});

Deno.test("a traceparent that is none is no reason to refuse a request", async () => {
  for (const traceparent of ["", "x", `00-${"0".repeat(32)}-b7ad6b7169203331-01`]) {
    const { status } = await send(sharedStack(), "enqueue", {
      headers: { traceparent },
      body: JSON.stringify({ tasks: [{ type: newType() }] }),
    });
    assert.equal(status, 200, traceparent);
  }
});

Deno.test("what a handler throws is on its span, and its attempt is counted by the kind of error", async () => {
  await using seen = telemetry();
  const type = newType();
  await enqueue(rpc(), [{ type, max_attempts: 1 }, { type, payload: "unfit" }]);
  const summary = await work(task(type, () => Promise.reject(new RangeError("too far"))));
  assert.equal(summary.failed, 2);

  const processed = seen.spans(`process ${type}`);
  assert.deepEqual(processed.map(({ status }) => status.code), Array(2).fill(SpanStatusCode.ERROR));
  assert.deepEqual(
    processed.map(({ attributes }) => attributes["error.type"]).sort(),
    ["PermanentError", "RangeError"],
  );
  const [failed] = processed.filter(({ attributes }) => attributes["error.type"] === "RangeError");
  assert.equal(failed.events[0].name, "exception");
  assert.equal(failed.events[0].attributes!["exception.message"], "too far");

  const durations = await seen.points("messaging.process.duration");
  assert.deepEqual(
    new Set(durations.map(({ attributes }) => attributes)),
    new Set(["RangeError", "PermanentError"].map((error) => ({
      "messaging.system": "dibs",
      "messaging.operation.name": "process",
      "messaging.destination.name": type,
      "error.type": error,
    }))),
  );
  assert.deepEqual(await counted(seen, "dibs.worker.items"), { failed: 2 });
  assert.deepEqual(
    (await seen.points("messaging.client.sent.messages")).map(({ value }) => value),
    [2],
  );
  assert.ok((await seen.points("dibs.worker.empty_claims")).length > 0);
});

Deno.test("what cannot be enqueued fails its span", async () => {
  await using seen = telemetry();
  const type = newType();
  await assert.rejects(enqueue(rpc(), [{ type, priority: 1e9 }]));
  const [sent] = seen.spans(`enqueue ${type}`);
  assert.equal(sent.status.code, SpanStatusCode.ERROR);
  assert.equal(sent.attributes["error.type"], "bad_request");
});

Deno.test("a lease that is lost is noted on the span of each handler that had to end, and counted", async () => {
  await using seen = telemetry();
  const clock = new FakeClock();
  const source = new FakeSource(2, 90_000);
  source.before = (verb) => {
    if (verb === "renew") throw new Error("gone");
  };
  const { run, running } = held();
  const options = { workerId: "w", destinationOf: () => "things" };
  const worker = runWorker(traced({ source, run, timeoutMs: () => 1e6 }, options), {
    concurrency: 2,
    batch: 2,
    leaseSeconds: 90,
    log,
    untilEmpty: true,
    clock,
  });
  await settle();
  await clock.advance(60_000);
  for (const { end } of [...running.values()]) end(new Error("told to end"));
  await clock.advance(10_000);
  assert.equal((await worker).lost, 2);

  const processed = seen.spans("process things");
  assert.equal(processed.length, 2);
  for (const { events, attributes, status } of processed) {
    assert.deepEqual(events.map(({ name }) => name), ["lease_lost", "exception"]);
    assert.equal(attributes["messaging.dibs.cut"], "lease_lost");
    assert.equal(status.code, SpanStatusCode.ERROR);
  }
  assert.deepEqual(await counted(seen, "dibs.worker.items"), { lost: 2 });
  assert.deepEqual((await seen.points("dibs.worker.lost_leases")).map(({ value }) => value), [1]);
});

Deno.test("an outcome that comes too late is noted on the span that settles", async () => {
  await using seen = telemetry();
  const source = new FakeSource(2, 90_000);
  const run = ({ name }: FakeItem) => {
    source.take(name);
    return Promise.resolve({ result: name });
  };
  const options = { workerId: "w", destinationOf: () => "things" };
  await runWorker(traced({ source, run, timeoutMs: () => 1e6 }, options), {
    concurrency: 2,
    batch: 2,
    leaseSeconds: 90,
    log,
    untilEmpty: true,
  });
  const [settled] = seen.spans("settle_and_claim");
  assert.deepEqual(settled.events.map(({ name, attributes }) => [name, attributes]), [
    ["lost", { "messaging.dibs.lost": 2 }],
  ]);
  assert.deepEqual(await counted(seen, "dibs.worker.items"), { lost: 2 });
});

Deno.test("without OpenTelemetry set up nothing is asked or kept, and all goes as ever", async () => {
  const stack = sharedStack();
  const type = newType();
  await post(stack, "enqueue", { tasks: [{ type }] });
  const asked: string[] = [];
  const known = rpc();
  const watched = {
    ...known,
    call: (...args: Parameters<typeof known.call>) => {
      asked.push(args[0]);
      return known.call(...args);
    },
  } as typeof known;
  const summary = await work(task(type, () => Promise.resolve()), watched);
  assert.equal(summary.completed, 1);
  assert.ok(asked.includes("claim_tasks"));
  assert.ok(!asked.includes("task_traces"));
});

Deno.test("a trace context is written and read as W3C Trace Context has it", () => {
  assert.equal(traceparentOf(spanContextOf(CALLER)!), CALLER);
  for (const bad of [null, "", CALLER.replace("00-", "ff-"), `${CALLER}-x`, CALLER.toUpperCase()]) {
    assert.equal(spanContextOf(bad), undefined);
  }
});

function newType(): string {
  return `tracing-${crypto.randomUUID()}`;
}

function rpc() {
  const { url, secretKey } = sharedStack();
  return remoteRpc(url, secretKey);
}

function task(type: string, run: TaskHandler["run"]): TaskHandler {
  const payload = z.record(z.string(), z.unknown());
  return defineTask({ type, payload, run });
}

function work(handler: TaskHandler, by = rpc()) {
  const parts = { rpc: by, log, workerId: "tracing-test", leaseSeconds: 60 };
  const chosen = chooseWork({ types: [handler.type] }, registryOf({ handler }), parts);
  return runWorker(chosen, { concurrency: 4, batch: 10, leaseSeconds: 60, log, untilEmpty: true });
}

function parentOf(span: ReadableSpan): string | undefined {
  return span.parentSpanContext?.spanId;
}

function linked({ context }: { context: SpanContext }): string {
  return context.spanId;
}

/** By outcome. */
async function counted(seen: ReturnType<typeof telemetry>, name: string) {
  const points = await seen.points(name) as {
    attributes: Record<string, string>;
    value: number;
  }[];
  return Object.fromEntries(
    points.map(({ attributes, value }) => [attributes["dibs.outcome"], value]),
  );
}
