import {
  type Attributes,
  type Context,
  context,
  type Counter,
  type Histogram,
  isSpanContextValid,
  type Link,
  metrics,
  type Span,
  type SpanContext,
  type SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { ApiError } from "./errors.ts";
import { VERSION } from "./version.ts";

const SCOPE = "dibs";

/** In which queue, by the words of OpenTelemetry's conventions for messaging. */
export const SYSTEM = { "messaging.system": "dibs" };

interface SpanOptions {
  kind: SpanKind;
  attributes: Attributes;
  parent?: Context;
  links?: Link[];
}

/**
 * Runs in a span, which ends with it, and fails with what it throws. Where no SDK was set up, the span
 * is one that does nothing.
 */
export async function inSpan<T>(
  name: string,
  { parent = context.active(), ...options }: SpanOptions,
  run: (span: Span) => Promise<T>,
): Promise<T> {
  const span = trace.getTracer(SCOPE, VERSION).startSpan(name, options, parent);
  try {
    return await context.with(trace.setSpan(parent, span), run, undefined, span);
  } catch (error) {
    span.recordException(error instanceof Error ? error : String(error));
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttribute("error.type", errorTypeOf(error));
    throw error;
  } finally {
    span.end();
  }
}

/** Whether somebody set up an SDK: only then do spans have ids, sampled or not. */
export function isTraced(span: Span): boolean {
  return isSpanContextValid(span.spanContext());
}

/** A few names, never content. */
export function errorTypeOf(thrown: unknown): string {
  if (thrown instanceof ApiError) return thrown.code;
  return thrown instanceof Error ? thrown.name : "_OTHER";
}

/** As W3C Trace Context writes it. */
export function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

/** The other way round; undefined for what is none, as a caller's header may be. */
export function spanContextOf(traceparent: string | null): SpanContext | undefined {
  const parts = traceparent?.match(/^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/);
  if (!parts) return undefined;
  const [, traceId, spanId, flags] = parts;
  const found = { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(found) ? found : undefined;
}

export interface Instruments {
  sent: Counter;
  duration: Histogram;
  items: Counter;
  emptyClaims: Counter;
  lostLeases: Counter;
}

/** Made when they are used: those made before an SDK is set up would stay without one. */
export function instruments(): Instruments {
  const meter = metrics.getMeter(SCOPE, VERSION);
  return {
    sent: meter.createCounter("messaging.client.sent.messages", {
      unit: "{message}",
      description: "Tasks that were enqueued, or could not be.",
    }),
    duration: meter.createHistogram("messaging.process.duration", {
      unit: "s",
      description: "How long handlers took.",
      advice: { explicitBucketBoundaries: DURATIONS },
    }),
    items: meter.createCounter("dibs.worker.items", {
      unit: "{item}",
      description: "What became of tasks, thoughts and rows that were claimed, by outcome.",
    }),
    emptyClaims: meter.createCounter("dibs.worker.empty_claims", {
      unit: "{claim}",
      description: "Claims that brought nothing.",
    }),
    lostLeases: meter.createCounter("dibs.worker.lost_leases", {
      unit: "{lease}",
      description: "Leases that were given up, since they could not be renewed or settled.",
    }),
  };
}

/** Those of the conventions, and longer ones: handlers may take minutes. */
const DURATIONS = [
  ...[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  ...[30, 60, 120, 300, 600],
];
