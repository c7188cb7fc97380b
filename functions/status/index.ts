import { ApiError } from "../_shared/errors.ts";
import { prefersPrometheus, PROMETHEUS_TYPE, prometheusText } from "../_shared/prometheus.ts";
import { StatusQuery } from "../_shared/schemas.ts";
import { endpoint } from "../_shared/serve.ts";
import { VERSION } from "../_shared/version.ts";
import { metricsOf } from "./metrics.ts";
import { totalsOf } from "./totals.ts";

export default endpoint({ name: "status", method: "GET" }, async ({ rpc, request }) => {
  const format = formatOf(request);
  const [known, totals] = await Promise.all([
    rpc.call("dibs_status", {}),
    format === "prometheus" ? rpc.call("task_totals", {}) : [],
  ]);
  const status = { ...known, version: { ...known.version, functions: VERSION } };
  if (format === "json") return { body: status };
  const metrics = [...metricsOf(status), ...totalsOf(totals)];
  return { body: prometheusText(metrics), contentType: PROMETHEUS_TYPE };
});

function formatOf(request: Request): "json" | "prometheus" {
  const query = Object.fromEntries(new URL(request.url).searchParams);
  const parsed = StatusQuery.safeParse(query);
  if (!parsed.success) throw ApiError.fromIssues(parsed.error);
  const preferred = prefersPrometheus(request.headers.get("accept")) ? "prometheus" : "json";
  return parsed.data.format ?? preferred;
}
