const UNITS: [name: string, seconds: number][] = [["d", 86_400], ["h", 3_600], ["m", 60], [
  "s",
  1,
]];

/** A moment as people read it: `3m ago`, `in 2h`. */
export function relative(moment: string | null | undefined, now = Date.now()): string {
  if (!moment) return "";
  const seconds = Math.round((Date.parse(moment) - now) / 1000);
  if (Number.isNaN(seconds)) return moment;
  return seconds <= 0 ? `${lasting(-seconds)} ago` : `in ${lasting(seconds)}`;
}

/** So many seconds, in the largest unit that they fill. */
export function lasting(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "";
  const [name, size] = UNITS.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${Math.floor(seconds / size)}${name}`;
}

/** A moment as it is given: in ISO 8601, or as how long ago it was, `30m`; null when it is neither. */
export function momentOf(text: string, now = Date.now()): string | null {
  const ago = text.match(/^(\d{1,6})([smhd])$/);
  if (ago) {
    const [, size] = UNITS.find(([name]) => name === ago[2])!;
    return new Date(now - Number(ago[1]) * size * 1000).toISOString();
  }
  const isIso = /^\d{4}-\d\d-\d\d([T ]|$)/.test(text);
  return isIso && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : null;
}

/** Rows as the data API gives them, with all moments in ISO 8601 whoever serves it. */
export function withIsoTimes<T>(rows: T): T {
  if (Array.isArray(rows)) return rows.map(withIsoTimes) as T;
  if (rows === null || typeof rows !== "object") return rows;
  return Object.fromEntries(
    Object.entries(rows).map(([name, value]) => [name, IS_MOMENT.test(name) ? iso(value) : value]),
  ) as T;
}

const IS_MOMENT = /(^|_)(at|until|since|ticks?)$/;

function iso(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(iso);
  if (typeof value !== "string") return value;
  return value.replace(
    /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d)(?::?(\d\d))?$/,
    (_, day, time, hours, minutes = "00") => `${day}T${time}${hours}:${minutes}`,
  );
}
