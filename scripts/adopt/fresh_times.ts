/**
 * Times for new migrations, a second apart and all later than those of the migrations there are:
 * as they begin file names, in UTC. They are not in the future, unless one of those is.
 */
export function freshTimes(files: string[], count: number, now: Date): string[] {
  const newest = files.map((file) => file.match(/(?:^|\/)(\d+)_[^/]*\.sql$/)?.[1] ?? "")
    .reduce((one, other) => other > one ? other : one, "");
  const first = Math.max(now.getTime() - count * 1_000, momentOf(newest) + 1_000);
  const times = Array.from({ length: count }, (_, n) => format(new Date(first + n * 1_000)));
  if (count > 0 && times[0] <= newest) {
    throw new Error(
      `The newest migration begins with ${newest}, which is no time such as ${times[0]}: ` +
        "Dibs's would come before it. Rename it, in the database with: supabase migration repair.",
    );
  }
  return times;
}

function momentOf(time: string): number {
  const [, ...parts] = time.match(/^(....)(..)(..)(..)(..)(..)$/)?.map(Number) ?? [];
  if (parts.length === 0) return -Infinity;
  const [year, month, day, hours, minutes, seconds] = parts;
  return Date.UTC(year, month - 1, day, hours, minutes, seconds);
}

function format(moment: Date): string {
  return moment.toISOString().replace(/\D/g, "").slice(0, 14);
}
