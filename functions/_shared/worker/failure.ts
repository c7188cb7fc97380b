import type { Outcome } from "./work.ts";

/** Thrown by a handler for what no retry can mend. */
export class PermanentError extends Error {
  override readonly name: string = "PermanentError";
}

const LONGEST = 2_000;

/** The outcome of an item whose handler threw. */
export function failureOf(id: string, thrown: unknown): Outcome {
  const permanent = thrown instanceof PermanentError || undefined;
  return { id, status: "failed", error: errorText(thrown), permanent };
}

/**
 * An error as text that can be stored, whatever was thrown: the report of a failure must not fail.
 * Line breaks stay, other control characters go.
 */
export function errorText(thrown: unknown): string {
  const text = textOf(thrown).replace(/[^\P{Cc}\n\t]/gu, "").toWellFormed();
  return text.slice(0, LONGEST).toWellFormed() || "unprintable error";
}

function textOf(thrown: unknown): string {
  try {
    if (thrown instanceof PermanentError) return thrown.message;
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  } catch {
    return "";
  }
}
