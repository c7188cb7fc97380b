import type { Result, TaskGrant, ThoughtGrant } from "./schemas.ts";

/** The rows of a claim, as one grant: the fence and the end are the same in every row. */
export function taskGrant(rows: Result<"claim_tasks">, leaseSeconds: number): TaskGrant {
  const tasks = rows.map(({ fence: _, lease_expires_at: __, ...task }) => task);
  return { ...leaseOf(rows, leaseSeconds), tasks };
}

export function thoughtGrant(
  rows: Result<"claim_next_thoughts">,
  leaseSeconds: number,
): ThoughtGrant {
  const thoughts = rows.map(({ thought_id: id, attempt, content, metadata }) => ({
    id,
    attempt,
    content,
    metadata,
  }));
  return { ...leaseOf(rows, leaseSeconds), thoughts };
}

function leaseOf(rows: { fence: string; lease_expires_at: string }[], leaseSeconds: number) {
  const { fence = null, lease_expires_at = null } = rows[0] ?? {};
  return { fence, lease_expires_at, lease_ms: leaseSeconds * 1000 };
}
