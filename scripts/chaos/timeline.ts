import type { Line } from "../record/record.ts";
import type { Item } from "./evidence.ts";

interface Moment {
  at: number;
  text: string;
}

/** What happened to items, by the workers' word and by the database's, in the order of the clocks. */
export async function timelinesOf(
  items: Item[],
  record: AsyncIterable<Line>,
): Promise<Map<Item, string[]>> {
  const told = new Map(items.map((item) => [item, [] as Moment[]]));
  const executions = new Map<string, Item>();
  for await (const line of record) {
    for (const item of items) {
      if (line.kind === "began" && line.item === item.name) executions.set(line.execution, item);
      if (!concerns(line, item, executions)) continue;
      told.get(item)!.push({ at: line.at, text: wordsOf(line, item.name) });
    }
  }
  return new Map(items.map((item) => [item, textOf([...told.get(item)!, ...seenOf(item)])]));
}

function concerns(line: Line, item: Item, executions: Map<string, Item>): boolean {
  if ("items" in line) return line.items.includes(item.name);
  if ("accepted" in line) return item.name in line.accepted || line.refused.includes(item.name);
  return "execution" in line && executions.get(line.execution) === item;
}

function wordsOf(line: Line, name: string): string {
  const by = "by" in line ? line.by : "";
  const fence = "fence" in line ? `, fence ${line.fence}` : "";
  const ending = line.kind === "settled" ? ` as ${line.accepted[name] ?? "too late"}` : "";
  const success = line.kind === "ended" ? (line.succeeded ? " well" : " badly") : "";
  return `${by.padEnd(12)}  ${line.kind}${ending}${success}${fence}`;
}

function seenOf({ history }: Item): Moment[] {
  return history.map(({ at, event, fence, expiresAt }) => ({
    at,
    text: `database      ${event}, fence ${fence}${expiresAt ? `, until ${clock(expiresAt)}` : ""}`,
  }));
}

function textOf(moments: Moment[]): string[] {
  return moments.toSorted((one, other) => one.at - other.at)
    .map(({ at, text }) => `${clock(at)}  ${text}`);
}

function clock(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}
