// The dashboard, the alerts and the scrape configuration are held against what status really answers.
import { parser } from "@prometheus-io/lezer-promql";
import { parse as parseYaml } from "@std/yaml/parse";
import assert from "node:assert/strict";
import { parseMetrics, PROMETHEUS_ACCEPT } from "../support/prometheus.ts";
import { sharedStack } from "../support/stack.ts";
import { readDocument } from "./markdown.ts";

interface Scrape {
  metrics_path: string;
  params: Record<string, string[]>;
  http_headers: Record<string, { files: string[] }>;
}
interface Rule {
  alert: string;
  expr: string;
  annotations: Record<string, string>;
}
interface Panel {
  id: number;
  gridPos: { x: number; y: number; w: number; h: number };
  targets: { expr: string }[];
}

/** What Prometheus adds itself. */
const ITS_OWN = ["up"];

Deno.test("Prometheus, set up as documented, is answered in its format", async () => {
  const { status, headers, text } = await scrape();
  assert.equal(status, 200);
  assert.equal(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.ok(parseMetrics(text).length > 20);
});

Deno.test("every alert is well formed, says what to do, and names metrics that there are", async () => {
  const { groups } = parseYaml(await readDocument("docs/prometheus/alerts.yml")) as {
    groups: { rules: Rule[] }[];
  };
  const rules = groups.flatMap(({ rules }) => rules);
  const known = [...await metricNames(), ...ITS_OWN];
  for (const { alert, expr, annotations } of rules) {
    assert.deepEqual(metricsIn(expr).filter((name) => !known.includes(name)), [], alert);
    assert.ok(annotations.summary && annotations.description, alert);
  }
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
});

Deno.test("what the alerts send people to is there", async () => {
  const text = await readDocument("docs/prometheus/alerts.yml");
  const operations = await readDocument("docs/operations.md");
  for (const [, sections] of text.matchAll(/docs\/operations\.md: ([\w, ]+)\./g)) {
    for (const section of sections.split(", ")) {
      assert.ok(operations.includes(`\n### ${section}\n`), section);
    }
  }
});

Deno.test("every query of the dashboard is well formed and names metrics that there are", async () => {
  const { panels } = JSON.parse(await readDocument("docs/grafana/dibs.json")) as {
    panels: Panel[];
  };
  const known = await metricNames();
  for (const { expr } of panels.flatMap(({ targets }) => targets)) {
    const asked = metricsIn(expr.replaceAll("$__rate_interval", "5m"));
    assert.ok(asked.length > 0, expr);
    assert.deepEqual(asked.filter((name) => !known.includes(name)), [], expr);
  }
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  assert.deepEqual(
    panels.filter((one) => panels.some((two) => one !== two && overlap(one, two))),
    [],
  );
});

Deno.test("docs/metrics.md has every metric with its type, and no other", async () => {
  const text = await readDocument("docs/metrics.md");
  const described = [...text.matchAll(/^\| `(dibs_\w+)` +\| (\w+) /gm)]
    .map(([, name, type]) => `${name} ${type}`);
  const real = parseMetrics((await scrape()).text).map(({ name, type }) =>
    `${name} ${type.toLowerCase()}`
  );
  assert.deepEqual(described.sort(), real.sort());
});

Deno.test("a query that is none, and a metric that is none, would be found", () => {
  assert.throws(() => metricsIn("sum(dibs_tasks"));
  assert.deepEqual(metricsIn('sum by (type) (rate(a_total{type=~"$type"}[5m])) > on (b) c'), [
    "a_total",
    "c",
  ]);
});

/** As docs/prometheus/scrape.yml says, and with no header that Prometheus would not send. */
async function scrape() {
  const { scrape_configs: [config] } = parseYaml(
    await readDocument("docs/prometheus/scrape.yml"),
  ) as { scrape_configs: Scrape[] };
  const { url, secretKey } = sharedStack();
  const query = new URLSearchParams(
    Object.entries(config.params).map(([name, [value]]) => [name, value]),
  );
  const keys = Object.keys(config.http_headers).map((name) => [name, secretKey]);
  const response = await fetch(`${url}${config.metrics_path}?${query}`, {
    headers: {
      ...Object.fromEntries(keys),
      "user-agent": "Prometheus/3.8.0",
      accept: PROMETHEUS_ACCEPT,
      "x-prometheus-scrape-timeout-seconds": "15",
    },
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** As PromQL has them: a histogram is three. */
async function metricNames(): Promise<string[]> {
  return parseMetrics((await scrape()).text).flatMap(({ name, type }) =>
    type === "HISTOGRAM" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
  );
}

/** By the grammar that Prometheus's own editor uses. */
function metricsIn(expr: string): string[] {
  const found: string[] = [];
  parser.parse(expr).iterate({
    enter({ type, from, to, node }) {
      assert.ok(!type.isError, `${expr}: at ${from}`);
      if (type.name === "Identifier" && node.parent?.type.name === "VectorSelector") {
        found.push(expr.slice(from, to));
      }
    },
  });
  return found;
}

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}
