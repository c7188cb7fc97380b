import { requireDispatchSecret } from "../_shared/auth.ts";
import { startDrains } from "../_shared/dispatch.ts";
import { ApiError } from "../_shared/errors.ts";
import { registryOf } from "../_shared/handler.ts";
import { DispatchRequest } from "../_shared/schemas.ts";
import { endpoint } from "../_shared/serve.ts";
import * as handlers from "../handlers/index.ts";

const options = { name: "dispatch", request: DispatchRequest, authorize: requireDispatchSecret };

export default endpoint(options, async ({ body, rpc, log }) => {
  const plan = await rpc.call("plan_dispatch", {
    p_dispatch_id: body.dispatch_id ?? null,
    p_types: [...registryOf(handlers).tasks.keys()],
  });
  const drains = await startDrains(plan.drains, log);
  if (drains === 0 && plan.drains.length > 0) {
    throw new ApiError("unavailable", "No drain could be started; the next tick plans anew.");
  }
  return {
    status: 202,
    body: { dispatch_id: plan.dispatch_id, drains },
    facts: { dispatch_id: plan.dispatch_id, planned: plan.drains.length, drains },
  };
});
