import assert from "node:assert/strict";
import {
  type Family,
  prefersPrometheus,
  prometheusText,
} from "../../functions/_shared/prometheus.ts";
import { parseMetrics, PROMETHEUS_ACCEPT } from "../support/prometheus.ts";

/** What a label may hold that the format uses itself, and what it does not. */
const NASTY = ['say "yes"', "a\\b", "two\nlines", "\\n", 'ends with \\"', "ü 🎈", '{a="b"} 1', ""];

Deno.test("a metric says what it is, then has a line for each series", () => {
  const text = prometheusText([
    {
      name: "dibs_tasks",
      help: "How many.",
      type: "gauge",
      samples: [{ labels: { status: "pending" }, value: 3 }, { value: 0.25 }],
    },
    { name: "dibs_none", help: "None has been.", type: "counter", samples: [] },
  ]);
  assert.equal(
    text,
    `# HELP dibs_tasks How many.
# TYPE dibs_tasks gauge
dibs_tasks{status="pending"} 3
dibs_tasks 0.25
# HELP dibs_none None has been.
# TYPE dibs_none counter
`,
  );
});

Deno.test("a histogram counts up to each bound, and all of it up to infinity", () => {
  const text = prometheusText([{
    name: "dibs_wait_seconds",
    help: "How long.",
    type: "histogram",
    samples: [{ labels: { type: "a" }, buckets: [[0.1, 2], [1, 5]], sum: 7.5, count: 6 }],
  }]);
  assert.deepEqual(text.split("\n").slice(2), [
    'dibs_wait_seconds_bucket{type="a",le="0.1"} 2',
    'dibs_wait_seconds_bucket{type="a",le="1"} 5',
    'dibs_wait_seconds_bucket{type="a",le="+Inf"} 6',
    'dibs_wait_seconds_sum{type="a"} 7.5',
    'dibs_wait_seconds_count{type="a"} 6',
    "",
  ]);
});

Deno.test("whatever is in a label comes out of another's parser as it went in", () => {
  const families: Family[] = [{
    name: "dibs_tasks",
    help: "One \\ two\nthree.",
    type: "gauge",
    samples: NASTY.map((type, value) => ({ labels: { type, other: "x" }, value })),
  }];
  const [{ help, metrics }] = parseMetrics(prometheusText(families));
  assert.equal(help, "One \\ two\nthree.");
  assert.deepEqual(
    metrics.map(({ labels, value }) => [labels!.type, labels!.other, Number(value)]),
    NASTY.map((type, value) => [type, "x", value]),
  );
});

Deno.test("Prometheus gets its format, and who takes anything gets JSON", () => {
  const text = [
    // Prometheus 3 without protobuf and with it, then 2.
    PROMETHEUS_ACCEPT,
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6," +
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "text/plain",
    "Text/Plain; Q=0.5, application/json;q=0.4",
    "text/*, */*;q=0.9",
  ];
  const json = [
    null,
    "",
    "*/*",
    "application/json",
    "application/json, text/plain, */*",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "text/plain;q=0, */*",
    "text/plain;q=0.1, application/json;q=0.9",
    ";;,,q=1",
  ];
  assert.deepEqual(text.filter((accept) => !prefersPrometheus(accept)), []);
  assert.deepEqual(json.filter(prefersPrometheus), []);
});
