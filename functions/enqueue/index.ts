import { enqueue } from "../_shared/enqueue.ts";
import { EnqueueRequest } from "../_shared/schemas.ts";
import { endpoint } from "../_shared/serve.ts";

export default endpoint(
  { name: "enqueue", request: EnqueueRequest },
  async ({ body, rpc, request }) => {
    const tasks = await enqueue(rpc, body.tasks, {
      requestId: body.request_id,
      traceparent: request.headers.get("traceparent"),
    });
    return { body: { tasks }, facts: { tasks: tasks.length } };
  },
);
