// Values that reads and actions take.
import { z } from "zod";

export const Name = z.string().min(1).max(200);
export const Uuid = z.uuid();

/** What `find_tasks` and the `…_where` functions compare; they say themselves what is wrong in it. */
export const TaskFilter = z.record(z.string(), z.unknown());

/** A filter as it stands in a query string. */
export const FilterText = z.string().max(100_000).default("{}").transform((text, context) => {
  try {
    return TaskFilter.parse(JSON.parse(text));
  } catch {
    context.addIssue({ code: "custom", message: "Give a JSON object." });
    return z.NEVER;
  }
});
