import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import { issuesOf } from "./issues.ts";
import type { Log } from "./log.ts";
import type { Dependency, GrantedRow, GrantedThought } from "./schemas.ts";
import type { EffectContext, OnceOptions } from "./once.ts";
import { PermanentError } from "./worker/failure.ts";

/** What a handler is given besides its work. */
export interface HandlerContext {
  /** Of the task or thought. */
  id: string;
  /** What a SQL function of yours hands to `assert_lease`. */
  fence: string;
  /** 1 the first time. */
  attempt: number;
  /** What came of the tasks that this one waited for, in the order of its `depends_on`. */
  dependencies: Dependency[];
  /** Aborted when the work must end: pass it to whatever waits. */
  signal: AbortSignal;
  /** How far it is, any JSON; shown in `public.tasks`. */
  progress(value: unknown): void;
  log: Log;
  supabase: SupabaseClient;
  /** An effect outside the database, done once however often this work is tried. */
  once<T>(
    key: string,
    effect: (context: EffectContext) => Promise<T>,
    options?: OnceOptions,
  ): Promise<T>;
  /**
   * Completes this work by a SQL function of yours, which writes what it writes and calls
   * `complete_with_result` in one transaction; it gets `p_fence` and `p_id` besides `args`. Await it, as
   * the last thing: nothing the handler does or returns afterwards counts.
   */
  commit(sqlFunction: string, args?: Record<string, unknown>): Promise<unknown>;
}

export interface TaskHandler {
  type: string;
  timeoutSeconds: number;
  run(payload: unknown, context: HandlerContext): Promise<unknown>;
}

export interface ThoughtHandler {
  workType: string;
  timeoutSeconds: number;
  run(thought: GrantedThought, context: HandlerContext): Promise<ThoughtFinding | void>;
}

/** Merged into the thought's metadata, in the transaction that settles it. */
export interface ThoughtFinding {
  metadata: Record<string, unknown>;
}

/** Rows have no place for what a handler finds: it writes that into them, or elsewhere, by itself. */
export type RowContext = Omit<HandlerContext, "once" | "commit">;

export interface RowHandler {
  /** Of `dibs.create_claim_source`. */
  source: string;
  workType: string;
  timeoutSeconds: number;
  run(row: GrantedRow, context: RowContext): Promise<void>;
}

const TIMEOUT_SECONDS = 120;

/**
 * A handler of tasks. What `run` returns is kept as the task's result; throwing fails the attempt.
 *
 * @example
 * ```ts
 * export const greet = defineTask({
 *   type: "greet",
 *   payload: z.object({ name: z.string() }),
 *   run: ({ name }) => Promise.resolve({ greeting: `Hello ${name}` }),
 * });
 * ```
 */
export function defineTask<Payload extends z.ZodType>(definition: {
  type: string;
  payload: Payload;
  run(payload: z.output<Payload>, context: HandlerContext): Promise<unknown>;
  /** 120 s unless given. */
  timeoutSeconds?: number;
}): TaskHandler {
  const { type, payload: schema, timeoutSeconds = TIMEOUT_SECONDS } = definition;
  return {
    type,
    timeoutSeconds,
    async run(payload, context) {
      const parsed = schema.safeParse(payload);
      if (!parsed.success) {
        throw new PermanentError(`payload does not fit ${type}: ${misfit(parsed.error)}`);
      }
      return await definition.run(parsed.data, context);
    },
  };
}

/** A handler of thoughts, for one work type. */
export function defineThoughtWork(definition: {
  workType: string;
  run: ThoughtHandler["run"];
  timeoutSeconds?: number;
}): ThoughtHandler {
  return { timeoutSeconds: TIMEOUT_SECONDS, ...definition };
}

/**
 * A handler of the rows of a source, for one work type.
 *
 * @example
 * ```ts
 * export const indexDocument = defineRowWork({
 *   source: "documents",
 *   workType: "index",
 *   run: ({ id, row }, { signal }) => addToIndex(id, row.body, signal),
 * });
 * ```
 */
export function defineRowWork(definition: {
  source: string;
  workType: string;
  run: RowHandler["run"];
  timeoutSeconds?: number;
}): RowHandler {
  return { timeoutSeconds: TIMEOUT_SECONDS, ...definition };
}

export interface Registry {
  tasks: Map<string, TaskHandler>;
  thoughts: Map<string, ThoughtHandler>;
  /** By source and work type. */
  rows: Map<string, RowHandler>;
}

/** What handlers/index.ts exports, by the name each answers to. */
export function registryOf(
  handlers: Record<string, TaskHandler | ThoughtHandler | RowHandler>,
): Registry {
  const registry: Registry = { tasks: new Map(), thoughts: new Map(), rows: new Map() };
  for (const handler of Object.values(handlers)) {
    if ("type" in handler) add(registry.tasks, handler.type, handler);
    else if ("source" in handler) {
      add(registry.rows, `${handler.source} ${handler.workType}`, handler);
    } else add(registry.thoughts, handler.workType, handler);
  }
  return registry;
}

function add<H>(handlers: Map<string, H>, name: string, handler: H): void {
  if (handlers.has(name)) throw new Error(`Two handlers are named ${name}.`);
  handlers.set(name, handler);
}

/** Names the fields, never what is in them. */
function misfit(error: z.ZodError): string {
  return issuesOf(error).map(({ path, message }) => `${path || "payload"}: ${message}`).join("; ");
}
