/** A row of cron.job. */
export interface Job {
  jobid: string;
  schedule: string;
  command: string;
  database: string;
  username: string;
}

/** Whether a job that was last started (or first seen) at `last` is to be started at `now`. */
export function isDue(schedule: string, last: Date, now: Date): boolean {
  const seconds = schedule.match(/^(\d+) seconds?$/)?.[1];
  if (seconds) return now.getTime() - last.getTime() >= Number(seconds) * 1_000;
  return minuteOf(now) > minuteOf(last) && matches(schedule, now);
}

function minuteOf(date: Date): number {
  return Math.floor(date.getTime() / 60_000);
}

/** The five fields of cron, in UTC as on a hosted project. */
function matches(schedule: string, now: Date): boolean {
  const [minute, hour, day, month, weekday] = schedule.trim().split(/\s+/);
  return includes(minute, now.getUTCMinutes()) &&
    includes(hour, now.getUTCHours()) &&
    includes(month, now.getUTCMonth() + 1) &&
    includes(day, now.getUTCDate()) &&
    includes(weekday, now.getUTCDay());
}

/** Whether a field includes a value: a star, a number, a range, each with a step, or a list. */
function includes(field: string, value: number): boolean {
  return field.split(",").some((part) => {
    const [range, step = "1"] = part.split("/");
    const [from, to = from] = range.split("-").map(Number);
    if (range !== "*" && (value < from || value > to)) return false;
    return (range === "*" ? value : value - from) % Number(step) === 0;
  });
}
