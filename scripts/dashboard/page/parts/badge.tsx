import { words } from "../format.ts";

/** Colours of states, of tasks, dispatches and findings; the word is always there, too. */
const TONES: Record<string, string> = {
  pending: "info",
  processing: "busy",
  completed: "good",
  failed: "bad",
  cancelled: "quiet",
  planned: "warn",
  sent: "busy",
  answered: "good",
  refused: "bad",
  timed_out: "bad",
  lost: "bad",
  ok: "good",
  warning: "warn",
  error: "bad",
  paused: "warn",
};

export function Badge({ state }: { state: string }) {
  return <span class={`badge ${TONES[state] ?? "quiet"}`}>{words(state)}</span>;
}
