import {
  type Attributes,
  context,
  type Span,
  type SpanContext,
  SpanKind,
  trace,
} from "@opentelemetry/api";
import { errorTypeOf, inSpan, instruments, isTraced, spanContextOf, SYSTEM } from "../tracing.ts";
import type { Grant, Item, Settled, Work } from "./work.ts";

export interface TracedOptions<I extends Item> {
  workerId: string;
  /** The queue that an item is of. */
  destinationOf(item: I): string;
  /** In which traces the items of a lease were made, by id; asked only where somebody traces. */
  tracesOf?(fence: string, signal: AbortSignal): Promise<Map<string, string>>;
}

interface Origin {
  /** Of whoever enqueued it. */
  creation?: SpanContext;
  claim: SpanContext;
}

/** The same work, each step of it in a span, as far as the process has set up OpenTelemetry. */
export function traced<I extends Item>(work: Work<I>, options: TracedOptions<I>): Work<I> {
  const { source } = work;
  const origins = new WeakMap<I, Origin>();
  const { duration, emptyClaims } = instruments();
  const client = { "messaging.client.id": options.workerId };

  return {
    ...work,
    source: {
      claim: (limit, call) =>
        step("claim", "receive", async (span) => {
          const grant = await source.claim(limit, call);
          await noteGrant(span, grant, call.signal);
          return grant;
        }),
      settle: (fence, report, call) =>
        step("settle", "settle", async (span) => {
          const answer = await source.settle(fence, report, call);
          noteSettled(span, answer);
          return answer;
        }),
      settleAndClaim: (fence, report, limit, call) =>
        step("settle_and_claim", "settle", async (span) => {
          const answer = await source.settleAndClaim(fence, report, limit, call);
          noteSettled(span, answer);
          await noteGrant(span, answer.grant, call.signal);
          return answer;
        }),
      renew: (fence, progress, signal) => source.renew(fence, progress, signal),
    },
    run: process,
  };

  function step<T>(name: string, type: string, run: (span: Span) => Promise<T>): Promise<T> {
    const attributes = {
      ...operation(name),
      ...client,
      "messaging.operation.type": type,
    };
    return inSpan(name, { kind: SpanKind.CLIENT, attributes }, run);
  }

  async function noteGrant(span: Span, grant: Grant<I> | null, signal: AbortSignal) {
    if (grant === null) emptyClaims.add(1, SYSTEM);
    if (!isTraced(span)) return;
    span.setAttribute("messaging.dibs.claimed", grant?.items.length ?? 0);
    if (grant === null) return;
    // The work goes on without, should this fail: it is about the traces only.
    const traces = await options.tracesOf?.(grant.fence, signal).catch((error) => {
      span.addEvent("no traces", { "error.type": errorTypeOf(error) });
    });
    const claim = span.spanContext();
    for (const item of grant.items) {
      origins.set(item, { claim, creation: spanContextOf(traces?.get(item.id) ?? null) });
    }
    for (const traceparent of new Set(traces?.values())) {
      const creation = spanContextOf(traceparent);
      if (creation) span.addLink({ context: creation });
    }
  }

  async function process(item: I, given: Parameters<Work<I>["run"]>[1]) {
    const started = performance.now();
    const origin = origins.get(item);
    const attributes: Attributes = {
      ...operation("process"),
      "messaging.destination.name": options.destinationOf(item),
    };
    const active = context.active();
    try {
      return await inSpan(`process ${options.destinationOf(item)}`, {
        kind: SpanKind.CONSUMER,
        parent: origin?.creation ? trace.setSpanContext(active, origin.creation) : active,
        links: origin && [{ context: origin.claim }],
        attributes: {
          ...attributes,
          ...client,
          "messaging.operation.type": "process",
          "messaging.message.id": item.id,
          "messaging.dibs.attempt": item.attempt,
        },
      }, (span) => {
        if (span.isRecording()) noteCut(span, given.signal);
        return work.run(item, given);
      });
    } catch (error) {
      attributes["error.type"] = errorTypeOf(error);
      throw error;
    } finally {
      duration.record((performance.now() - started) / 1000, attributes);
    }
  }
}

function operation(name: string): Attributes {
  return { ...SYSTEM, "messaging.operation.name": name };
}

function noteSettled(span: Span, { settled, lost }: Settled): void {
  span.setAttribute("messaging.batch.message_count", settled + lost.length);
  if (lost.length > 0) span.addEvent("lost", { "messaging.dibs.lost": lost.length });
}

/** Told to end before it was done: its lease is lost, its time is up, or the worker stops. */
function noteCut(span: Span, signal: AbortSignal): void {
  signal.addEventListener("abort", () => {
    const cut = (signal.reason as DOMException).message;
    span.addEvent(cut);
    span.setAttribute("messaging.dibs.cut", cut);
  }, { once: true });
}
