import { endpoint } from "../_shared/serve.ts";
import { VERSION } from "../_shared/version.ts";

export default endpoint({ name: "status", method: "GET" }, async ({ rpc }) => {
  const status = await rpc.call("dibs_status", {});
  return { body: { ...status, version: { ...status.version, functions: VERSION } } };
});
