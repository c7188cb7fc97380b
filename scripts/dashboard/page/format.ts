// Numbers and times as people read them.

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US");
}

/** Short enough for a tile or an axis: 1,234 as it is, 12,345 as 12.3k. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (Math.abs(value) < 10_000) return value < 10 && value % 1 ? value.toFixed(1) : count(value);
  return new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 })
    .format(value).toLowerCase().replace("m", "M").replace("b", "G");
}

export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0 ms";
  if (value < 1_000) return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} ms`;
  return value < 60_000 ? `${Number((value / 1_000).toFixed(1))} s` : duration(value / 1_000);
}

/** Of seconds, the two largest parts: 2 h 5 min. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3_600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ] as const;
  const first = parts.findIndex(([value]) => value > 0);
  if (first === -1) return "0 s";
  return parts.slice(first, first + 2).filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`).join(" ");
}

/** Its largest part only: 38 min. */
export function roughly(seconds: number): string {
  return duration(seconds).split(" ").slice(0, 2).join(" ");
}

/** A moment as the data API writes it, in milliseconds; some browsers want it by the letter of ISO 8601. */
export function instant(at: string): number {
  return Date.parse(at.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00"));
}

/** How far a moment is from now, by the browser's clock; to the second when that is soon. */
export function distance(at: string, now: number): string {
  const seconds = (instant(at) - now) / 1_000;
  if (Math.abs(seconds) < 1) return "now";
  const told = Math.abs(seconds) < 600
    ? Math.abs(seconds)
    : Math.abs(seconds) - Math.abs(seconds) % 60;
  return seconds > 0 ? `in ${duration(told)}` : `${duration(told)} ago`;
}

export function moment(at: string): string {
  return new Date(instant(at)).toLocaleString("en-GB", {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
}

/** The time of day, of seconds since 1970. */
export function clock(seconds: number): string {
  return new Date(seconds * 1_000)
    .toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

export function day(seconds: number): string {
  return new Date(seconds * 1_000)
    .toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" });
}

export function weekday(seconds: number): string {
  return new Date(seconds * 1_000).toLocaleDateString("en-GB", {
    weekday: "short",
    day: "numeric",
  });
}

/** An interval of PostgreSQL's, such as 1 day 01:30:00. */
export function interval(text: string): string {
  const time = text.match(/(\d+):(\d\d):(\d\d)/);
  if (!time) return text;
  const [, hours, minutes, seconds] = time.map(Number);
  return [text.slice(0, time.index).trim(), duration(hours * 3_600 + minutes * 60 + seconds)]
    .filter((part) => part && part !== "0 s").join(" ");
}

export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** A word of the API for people: lease_expired. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}
