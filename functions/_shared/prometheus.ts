// The text format of Prometheus, version 0.0.4.

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export interface Sample {
  labels?: Record<string, string>;
  value: number;
}

/** Observations of one set of labels; the last bucket need not be that of infinity. */
export interface Histogram {
  labels?: Record<string, string>;
  /** Upper bound and how many were not above it, smallest bound first. */
  buckets: [number, number][];
  sum: number;
  count: number;
}

/** A metric with all of its series. */
export type Family =
  & { name: string; help: string }
  & (
    | { type: "gauge" | "counter"; samples: Sample[] }
    | { type: "histogram"; samples: Histogram[] }
  );

/** What a scrape is answered with. A metric that has no series now still says what it is. */
export function prometheusText(families: Family[]): string {
  return families.map(textOf).join("");
}

/**
 * Whether a caller would rather have this format than JSON. Prometheus names its formats, each with a
 * weight; who takes anything gets JSON.
 */
export function prefersPrometheus(accept: string | null): boolean {
  const ranges = (accept ?? "").split(",").map(rangeOf);
  const text = Math.max(
    weightOf("text/plain", ranges),
    weightOf("application/openmetrics-text", ranges),
  );
  return text > weightOf("application/json", ranges);
}

function textOf(family: Family): string {
  const { name, help, type } = family;
  const lines = family.type === "histogram"
    ? family.samples.flatMap((samples) => linesOfHistogram(name, samples))
    : family.samples.map(({ labels, value }) => line(name, labels, value));
  return `# HELP ${name} ${escape(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function linesOfHistogram(name: string, { labels, buckets, sum, count }: Histogram): string[] {
  const finite = buckets.filter(([bound]) => Number.isFinite(bound));
  return [
    ...[...finite, [Infinity, count]].map(([bound, upTo]) =>
      line(`${name}_bucket`, { ...labels, le: number(bound) }, upTo)
    ),
    line(`${name}_sum`, labels, sum),
    line(`${name}_count`, labels, count),
  ];
}

function line(
  name: string,
  labels: Record<string, string> | undefined,
  value: number,
): string {
  const pairs = Object.entries(labels ?? {}).map(([label, text]) =>
    `${label}="${escape(text).replaceAll('"', '\\"')}"`
  );
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${number(value)}\n`;
}

function number(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

interface MediaRange {
  type: string;
  weight: number;
}

function rangeOf(text: string): MediaRange {
  const [type, ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => /^q=[01](\.\d{0,3})?$/.test(parameter))?.slice(2);
  return { type, weight: Number(weight ?? 1) };
}

/** By the range that fits most closely. */
function weightOf(type: string, ranges: MediaRange[]): number {
  for (const range of [type, type.replace(/\/.*/, "/*"), "*/*"]) {
    const fitting = ranges.filter((known) => known.type === range);
    if (fitting.length > 0) return Math.max(...fitting.map(({ weight }) => weight));
  }
  return 0;
}
