import { createDashboard, type DashboardOptions } from "../../scripts/dashboard/server.ts";
import type { Stack } from "../../scripts/stack/stack.ts";

/** What the dashboards of {@link asker} are called by. */
export const HOST = "127.0.0.1:54380";

export type Ask = ReturnType<typeof asker>;

/** A dashboard of its own that is asked without a port in between, as any client might ask it. */
export function asker(
  stack: Pick<Stack, "url" | "secretKey" | "databaseUrl">,
  options?: DashboardOptions,
) {
  const dashboard = createDashboard(stack, options);
  return (
    method: string,
    path: string,
    { headers = {}, body }: { headers?: Record<string, string>; body?: unknown } = {},
  ) =>
    dashboard(
      new Request(`http://${HOST}/${path}`, {
        method,
        headers: { host: HOST, ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
      }),
    );
}

/** The token that only its page has. */
export async function tokenOf(ask: Ask): Promise<string> {
  const page = await (await ask("GET", "")).text();
  return page.match(/name="dibs-token" content="([0-9a-f]{64})"/)![1];
}
