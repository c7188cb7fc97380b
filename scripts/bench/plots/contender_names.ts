/** What people call a contender. */
const NAMES: Record<string, string> = {
  dibs: "Dibs",
  dibs_single: "Dibs, enqueued singly",
  pgq: "PgQ",
  graphile_worker: "Graphile Worker",
  pg_boss: "pg-boss",
};

/** The name of a contender, for people. */
export function nameOf(contender: string): string {
  return NAMES[contender] ?? contender;
}

/** The class that colours it. */
export function toneOf(contender: string): string {
  return contender.startsWith("dibs") ? "dibs" : contender === "limit" ? "bound" : "other";
}
