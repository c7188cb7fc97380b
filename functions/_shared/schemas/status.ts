// The state of the whole: what an operator looks at first.
import { z } from "zod";

export const Status = z.record(z.string(), z.unknown()).meta({
  id: "Status",
  description: "Counts and ages of the backlog, live leases and the last dispatches.",
});
