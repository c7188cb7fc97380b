import { endpoint } from "../_shared/serve.ts";

export default endpoint({ name: "status", method: "GET" }, async ({ rpc }) => {
  return { body: await rpc.call("dibs_status", {}) };
});
