import { EnqueueRequest } from "../_shared/schemas.ts";
import { endpoint } from "../_shared/serve.ts";

export default endpoint({ name: "enqueue", request: EnqueueRequest }, async ({ body, rpc }) => {
  const tasks = await rpc.call("enqueue_tasks", {
    p_tasks: body.tasks,
    p_request_id: body.request_id ?? null,
  });
  return { body: { tasks }, facts: { tasks: tasks.length } };
});
