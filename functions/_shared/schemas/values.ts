// The values that requests and rows are made of, each with its bounds, said once.
import { z } from "zod";

const UNSTORABLE = "must not hold NUL characters or lone surrogates";
const DEEPEST = 64;

/** JSON as it may be stored: what `z.unknown()` accepts, minus what Postgres or JSON would change. */
export const Json = z.unknown().superRefine((value, context) => {
  const problem = storageProblem(value);
  if (problem) context.addIssue(problem);
});

/** By key. zod leaves a key `__proto__` out without a word; here it is refused. */
export function recordOf<Key extends z.ZodString | typeof Id, Value extends z.ZodType>(
  key: Key,
  value: Value,
) {
  const record = z.record(key, value);
  const { $schema: _, ...described } = z.toJSONSchema(record, { io: "input" });
  return z.unknown().superRefine((given, context) => {
    if (typeof given === "object" && given !== null && Object.hasOwn(given, "__proto__")) {
      context.addIssue({ code: "custom", path: ["__proto__"], message: "must not be a key" });
    }
  }).meta(described).pipe(record);
}

/** Text that Postgres can store. */
export const Text = z.string().refine(isStorable, UNSTORABLE).meta({
  description: "Text without NUL characters or lone surrogates.",
});

export const WorkerId = label(200).meta({
  description:
    "A name for people, unique to this worker (host, process, random part). It is never what makes a write safe.",
  examples: ["worker-7f3a"],
});
export const WorkType = label(100).meta({
  description: "A kind of work on thoughts. Claims of different work types are independent.",
  examples: ["enrichment"],
});
export const TaskType = label(100).meta({
  description: "The handler a task is for.",
  examples: ["generate_care_plan"],
});
export const RequestId = label(200).meta({
  description: "Makes a repeat of this very request safe: it is answered the same again.",
  examples: ["7c0e4d52-1f0a-4e0e-9a53-7a4f8f0a5f11"],
});

export const Id = z.guid().meta({ description: "A uuid.", format: "uuid" });
export const Ids = z.array(Id).max(1000);

export const SourceName = z.string().regex(
  /^[a-z][a-z0-9_]{0,29}$/,
  "must be the name of a claim source",
)
  .meta({
    description: "A table whose rows can be claimed; dibs.create_claim_source names it.",
    examples: ["documents"],
  });
/** Of a row: its key, whatever type that has. */
export const RowId = Text.meta({ description: "The key of the row, as text." });
/** Of a thought: most have uuids, and some projects numbers. */
export const ThoughtId = z.string()
  .refine((id) => Id.safeParse(id).success || /^(0|-?[1-9][0-9]{0,18})$/.test(id), "must be a uuid")
  .meta({ description: "A uuid, or the number that a project's thoughts have, as text." });

export const Fence = z.string()
  .regex(/^([a-z][a-z0-9_]{0,29}:)?[0-9]{1,18}$/, "must be the fence of a claim, as text")
  .meta({
    description:
      "The token of one grant. Send it back exactly as the claim gave it: text, never a number.",
    examples: ["4711"],
  });

export const LeaseSeconds = z.int().min(1).max(86_400).meta({
  description: "How long the lease lasts unless it is renewed.",
  examples: [900],
});
export const LeaseMs = z.int().min(0).meta({
  description:
    "How long the lease lasts yet, in milliseconds; 0 without one. Count it from before the request was sent.",
});
export const Limit = z.int().min(1).max(1000).meta({
  description: "At most this many.",
  examples: [50],
});
export const Attempt = z.int().min(1).meta({ description: "The number of this attempt, from 1." });
export const MaxAttempts = z.int().min(1).max(100).meta({
  description: "Failures until it is failed for good.",
  examples: [5],
});

/** A moment as RFC 3339; the data API of some stacks writes a space and a short offset. */
export const Moment = z.string().overwrite((text) =>
  text.replace(/^(\d{4}-\d\d-\d\d) /, "$1T").replace(/([+-]\d\d)$/, "$1:00")
).meta({ description: "A moment, RFC 3339 with offset.", format: "date-time" });

export const Count = z.int().min(0);

/** Whether a lease holds rows of a source: its fence names the source. */
export function isRowFence(fence: unknown): boolean {
  return typeof fence === "string" && fence.includes(":");
}

/**
 * One of two kinds, told apart by a field or by what is in it. A union would answer with the errors of both; this one
 * answers with those of the kind that was meant.
 */
export function toldBy<With extends z.ZodType, Without extends z.ZodType>(
  field: string | ((value: Record<string, unknown>) => boolean),
  kinds: { with: With; without: Without },
) {
  return z.unknown().transform((value, context): z.output<With> | z.output<Without> => {
    const has = typeof value === "object" && value !== null &&
      (typeof field === "string" ? field in value : field(value as Record<string, unknown>));
    const parsed = kinds[has ? "with" : "without"].safeParse(value);
    if (parsed.success) return parsed.data as z.output<With> | z.output<Without>;
    context.issues.push(...parsed.error.issues as z.core.$ZodRawIssue[]);
    return z.NEVER;
  }).meta({ anyOf: [kinds.without, kinds.with].flatMap(references) });
}

/** Of one that is told from others itself, those. */
function references(schema: z.ZodType): unknown[] {
  return z.globalRegistry.get(schema)?.anyOf as unknown[] ?? [reference(schema)];
}

/** How the OpenAPI document names a schema. */
export function reference(schema: z.ZodType): { $ref: string } {
  return { $ref: schemaUri(z.globalRegistry.get(schema)!.id!) };
}

export function schemaUri(id: string): string {
  return `#/components/schemas/${id}`;
}

function label(longest: number) {
  return z.string().min(1).max(longest)
    .refine((text) => text.trim() !== "", "must not be blank")
    .refine((text) => !/\p{Cc}/u.test(text), "must not hold control characters")
    .refine((text) => text.isWellFormed(), UNSTORABLE);
}

function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

/**
 * What keeps a value from being stored as it is, or null. It walks with a list of its own, because
 * a value nested deeply enough would overflow the stack of a recursion.
 */
export function storageProblem(value: unknown): string | null {
  const rest: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let next = rest.pop(); next; next = rest.pop()) {
    const { value, depth } = next;
    if (typeof value === "string") {
      if (!isStorable(value)) return UNSTORABLE;
    } else if (typeof value === "number") {
      // JSON has one kind of number and JavaScript keeps 53 bits of it: it would be stored changed.
      if (!Number.isFinite(value) || Number.isInteger(value) && !Number.isSafeInteger(value)) {
        return "must not hold a number beyond ±(2^53 − 1); send such numbers as text";
      }
    } else if (typeof value === "object" && value !== null) {
      if (depth >= DEEPEST) return `must not be nested more than ${DEEPEST} deep`;
      for (const [key, inner] of Object.entries(value)) {
        if (!isStorable(key)) return UNSTORABLE;
        rest.push({ value: inner, depth: depth + 1 });
      }
    } else if (value !== null && typeof value !== "boolean" && value !== undefined) {
      return "must be JSON";
    }
  }
  return null;
}
