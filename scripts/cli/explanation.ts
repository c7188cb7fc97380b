import { pairs } from "./output.ts";
import { compact } from "./text.ts";
import { relative } from "./times.ts";

/** A row of `explain_task` or `explain_claim`. */
export interface Explained {
  state: string;
  reason: string;
  detail: unknown;
  until: string | null;
  what_would_change_it: string | null;
}

/** The same for people. The sentence is as long as it is: it is there to be read. */
export function explanation({ state, reason, detail, until, what_would_change_it }: Explained) {
  const facts = pairs({
    state,
    reason,
    until: until ? `${relative(until)} (${until})` : "",
    detail: detailOf(detail),
  });
  const mend = compact(what_would_change_it);
  return mend ? `${facts}\n\n${mend}` : facts;
}

/** What else there is to know; most often nothing. */
export function detailOf(detail: unknown): string {
  return JSON.stringify(detail) === "{}" ? "" : compact(detail);
}
