import { type Caller, drainByCalls } from "../calls.ts";
import type { Contender, DrainOptions, Payload } from "../contender.ts";
import { type BenchProject, startProject } from "../project.ts";
import { dibs } from "./dibs.ts";
import { openOverHttp } from "./dibs_api.ts";

/** Dibs over its endpoints: claim once, then release with the next claim in the same call. */
export const dibsFunctions: Contender = {
  ...dibs,
  name: "dibs_functions",
  async open(database) {
    const project = await startProject(database, { functions: true });
    return openOverHttp(database, project, (project, options) => {
      const callers = Array.from(
        { length: options.workers },
        (_, i) => newCaller(project, `worker-${i + 1}`, options),
      );
      return drainByCalls(callers, options);
    });
  },
};

interface Grant {
  fence: string | null;
  tasks: { id: string; payload: Payload }[];
}

function newCaller(
  project: BenchProject,
  worker_id: string,
  { batch, types }: DrainOptions,
): Caller {
  const claim = { worker_id, types, limit: batch };
  let held: Grant = { fence: null, tasks: [] };
  const report = (failed: number[]) => ({
    fence: held.fence,
    outcomes: failed.map((place) => ({ id: held.tasks[place].id, status: "failed" })),
    rest: "succeeded",
  });
  return {
    reportsFailures: true,
    async next(failed) {
      held = held.fence === null
        ? await post(project, "claim", claim)
        : (await post(project, "release", { ...report(failed), claim })).claim;
      return held.tasks.map(({ payload }) => payload);
    },
    async finish(failed) {
      if (held.fence !== null) await post(project, "release", report(failed));
    },
  };
}

async function post({ url, secretKey }: BenchProject, endpoint: string, body: unknown) {
  const response = await fetch(`${url}/functions/v1/${endpoint}`, {
    method: "POST",
    headers: { apikey: secretKey, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer;
}
