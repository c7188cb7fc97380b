import type { Line } from "../record/record.ts";
import type { Item } from "./evidence.ts";

/** What happened to an item, by the workers' word and by the database's, in the order of the clocks. */
export function timelineOf({ name, history }: Item, record: Line[]): string[] {
  const executions = new Set<string>();
  const told = record.flatMap((line) => {
    if (line.kind === "began" && line.item === name) executions.add(line.execution);
    return concerns(line, name, executions) ? [{ at: line.at, text: wordsOf(line, name) }] : [];
  });
  const seen = history.map(({ at, event, fence }) => ({
    at,
    text: `database  ${event}, fence ${fence}`,
  }));
  return [...told, ...seen].toSorted((one, other) => one.at - other.at)
    .map(({ at, text }) => `${new Date(at).toISOString().slice(11, 23)}  ${text}`);
}

function concerns(line: Line, name: string, executions: Set<string>): boolean {
  if ("items" in line) return line.items.includes(name);
  if ("accepted" in line) return name in line.accepted;
  return "execution" in line && executions.has(line.execution);
}

function wordsOf(line: Line, name: string): string {
  const by = "by" in line ? line.by : "";
  const fence = "fence" in line ? `, fence ${line.fence}` : "";
  const ending = line.kind === "settled" ? ` as ${line.accepted[name]}` : "";
  const success = line.kind === "ended" ? (line.succeeded ? " well" : " badly") : "";
  return `${by.padEnd(8)}  ${line.kind}${ending}${success}${fence}`;
}
