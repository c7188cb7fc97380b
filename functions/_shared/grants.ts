import type { Rpc } from "./rpc.ts";
import type { Result, RowsGrant, TaskGrant, ThoughtGrant } from "./schemas.ts";

/** The rows of a claim, as one grant: the fence and the end are the same in every row. */
export function taskGrant(rows: Result<"claim_tasks">): TaskGrant {
  const tasks = rows.map((
    { fence: _, lease_expires_at: __, lease_ms: ___, dependencies, ...task },
  ) => dependencies ? { ...task, dependencies } : task);
  return { ...leaseOf(rows), tasks };
}

/** With when to ask again, where rates keep back all that was asked for. */
export async function withRetryAfter<G extends TaskGrant>(
  rpc: Rpc,
  grant: G,
  types: string[] | null,
): Promise<G> {
  if (grant.fence !== null) return grant;
  const seconds = await rpc.call("task_retry_after", { p_types: types });
  return seconds === null ? grant : { ...grant, retry_after_seconds: seconds };
}

export function thoughtGrant(rows: Result<"claim_next_thoughts">): ThoughtGrant {
  const thoughts = rows.map(({ thought_id: id, attempt, content, metadata }) => ({
    id,
    attempt,
    content,
    metadata,
  }));
  return { ...leaseOf(rows), thoughts };
}

export function rowsGrant(rows: Result<"claim_next_rows">): RowsGrant {
  const granted = rows.map(({ id, attempt, version, row }) => ({ id, attempt, version, row }));
  return { ...leaseOf(rows), rows: granted };
}

interface Row {
  fence: string;
  lease_expires_at: string;
  lease_ms: number;
}

function leaseOf([row]: Row[]) {
  const { fence = null, lease_expires_at = null, lease_ms = 0 } = row ?? {};
  return { fence, lease_expires_at, lease_ms };
}
