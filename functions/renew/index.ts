import { ApiError } from "../_shared/errors.ts";
import { isRowFence, RenewRequest } from "../_shared/schemas.ts";
import { endpoint } from "../_shared/serve.ts";

export default endpoint({ name: "renew", request: RenewRequest }, async ({ body, rpc }) => {
  const args = { p_fence: body.fence, p_lease_seconds: body.lease_seconds };
  const held: string[] = isRowFence(body.fence)
    ? await rpc.call("renew_rows", args)
    : await rpc.call("renew_lease", { ...args, p_progress: body.progress ?? null });
  if (held.length === 0) throw new ApiError("lost");
  return {
    body: { lease_ms: body.lease_seconds * 1000, held },
    facts: { fence: body.fence, held: held.length },
  };
});
