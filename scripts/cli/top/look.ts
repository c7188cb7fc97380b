import type { Status } from "../commands/status.ts";
import type { Project } from "../project.ts";
import type { Panel, Row } from "./panels.ts";

/** What one look found. */
export interface View {
  status: Status;
  rows: Row[];
  /** Tasks that ended in a second, since the look before; null at first. */
  perSecond: { completed: number; failed: number } | null;
}

/** Asks for the whole and for what a panel shows of it. */
export async function look(project: Project, panel: Panel, before?: View): Promise<View> {
  const [status, rows] = await Promise.all([
    project.read<Status>("dibs_status"),
    panel.read(project),
  ]);
  return { status, rows, perSecond: before ? ratesBetween(before, status) : null };
}

/** Counts may also fall, as tasks are pruned or retried: that is no rate. */
function ratesBetween(before: View, now: Status): View["perSecond"] {
  const seconds = (Date.parse(now.now) - Date.parse(before.status.now)) / 1000;
  if (seconds < 0.5) return before.perSecond;
  const rate = (status: string) =>
    Math.max(0, now.tasks[status] - before.status.tasks[status]) / seconds;
  return { completed: rate("completed"), failed: rate("failed") };
}
