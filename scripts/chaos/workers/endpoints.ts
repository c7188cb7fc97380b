import type { Grant, Item, Outcome, Source } from "../../../functions/_shared/worker/work.ts";

/** Who claims what over HTTP: a body of POST /claim, without what changes from call to call. */
export interface EndpointTerms {
  url: string;
  secretKey: string;
  claim: { worker_id: string; lease_seconds: number; work_type?: string; types?: string[] };
}

/** The functions' endpoints as a source of work, the way any foreign client would use them. */
export function endpointSource<I extends Item>(
  { url, secretKey, claim }: EndpointTerms,
): Pick<Source<I>, "claim" | "settle" | "renew"> {
  const leaseMs = claim.lease_seconds * 1000;
  return {
    async claim(limit, { requestId: request_id, signal }) {
      const answer = await post("claim", { ...claim, limit, request_id }, signal);
      const items = answer.tasks ?? answer.thoughts;
      return answer.fence && { fence: answer.fence, leaseMs, items } satisfies Grant<I>;
    },
    async settle(fence, { outcomes }, { requestId: request_id, signal }) {
      const answer = await post("release", { fence, outcomes, request_id }, signal);
      return answer.code === "lost" ? { settled: 0, lost: outcomes.map(idOf) } : answer;
    },
    async renew(fence, _progress, signal) {
      const { lease_seconds } = claim;
      const answer = await post("renew", { fence, lease_seconds }, signal);
      return answer.held ?? [];
    },
  };

  /** The answer, also when it is that the lease is lost; throws what is worth repeating. */
  async function post(endpoint: string, body: unknown, signal: AbortSignal) {
    const response = await fetch(`${url}/functions/v1/${endpoint}`, {
      method: "POST",
      headers: { apikey: secretKey, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    if (response.ok || response.status === 409) return await response.json();
    throw new Error(`POST /${endpoint} answered ${response.status}: ${await response.text()}`);
  }
}

function idOf({ id }: Outcome): string {
  return id;
}
