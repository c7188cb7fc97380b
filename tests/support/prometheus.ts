import parse from "parse-prometheus-text-format";

/** What Prometheus 3 sends. */
export const PROMETHEUS_ACCEPT =
  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6," +
  "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4," +
  "text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/** A metric as somebody else's parser reads it; of histograms it knows no labels. */
export interface Parsed {
  name: string;
  help: string;
  type: "GAUGE" | "COUNTER" | "HISTOGRAM";
  metrics: { labels?: Record<string, string>; value?: string }[];
}

export function parseMetrics(text: string): Parsed[] {
  return parse(text);
}
