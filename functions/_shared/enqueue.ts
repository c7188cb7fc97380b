import { type Attributes, context, SpanKind, trace } from "@opentelemetry/api";
import type { z } from "zod";
import type { Rpc } from "./rpc.ts";
import type { NewTask, Result } from "./schemas.ts";
import {
  errorTypeOf,
  inSpan,
  instruments,
  isTraced,
  spanContextOf,
  SYSTEM,
  traceparentOf,
} from "./tracing.ts";

export interface EnqueueOptions {
  requestId?: string | null;
  /** Of the caller, as its request has it, where no span is active. */
  traceparent?: string | null;
}

const OPERATION = { ...SYSTEM, "messaging.operation.name": "enqueue" };

/** Enqueues all of them, in one span, to which the spans of their handlers belong. */
export async function enqueue(
  rpc: Rpc,
  tasks: z.input<typeof NewTask>[],
  { requestId = null, traceparent = null }: EnqueueOptions = {},
): Promise<Result<"enqueue_tasks">> {
  const caller = spanContextOf(traceparent);
  const active = context.active();
  const parent = caller && !trace.getSpan(active) ? trace.setSpanContext(active, caller) : active;
  const types = [...new Set(tasks.map(({ type }) => type))];
  const name = types.length === 1 ? `enqueue ${types[0]}` : "enqueue";
  const options = { kind: SpanKind.PRODUCER, attributes: attributesOf(tasks, types), parent };
  const error: Attributes = {};
  try {
    return await inSpan(name, options, async (span) => {
      const creation = isTraced(span) ? span.spanContext() : caller;
      const made = await rpc.call("enqueue_tasks", {
        p_tasks: tasks,
        p_request_id: requestId,
        ...(creation && { p_traceparent: traceparentOf(creation) }),
      });
      if (made.length === 1) span.setAttribute("messaging.message.id", made[0].id);
      return made;
    });
  } catch (thrown) {
    error["error.type"] = errorTypeOf(thrown);
    throw thrown;
  } finally {
    const { sent } = instruments();
    for (const type of types) {
      const of = { ...OPERATION, "messaging.destination.name": type, ...error };
      sent.add(tasks.filter((task) => task.type === type).length, of);
    }
  }
}

function attributesOf(tasks: unknown[], types: string[]): Attributes {
  return {
    ...OPERATION,
    "messaging.operation.type": "send",
    ...(types.length === 1 && { "messaging.destination.name": types[0] }),
    ...(tasks.length > 1 && { "messaging.batch.message_count": tasks.length }),
  };
}
