// A worker as somebody wrote it who never heard of Dibs's endpoints: plain HTTP to the data API, its
// own search for candidates, the three functions of the contract. It stops when it finds nothing.

/** Where and as whom a foreign worker works, and on what. */
export interface ForeignWorker {
  url: string;
  secretKey: string;
  workerId: string;
  workType: string;
  /** Only thoughts whose content begins so. */
  prefix: string;
  batch: number;
  work(thought: Candidate): Promise<void> | void;
}

export interface Candidate {
  id: string;
  content: string;
}

/** Works until its list of candidates is empty; returns the ids it finished. */
export async function runForeignWorker(worker: ForeignWorker): Promise<string[]> {
  const finished: string[] = [];
  for (let found = await candidates(worker); found.length > 0; found = await candidates(worker)) {
    const won = new Set(
      await rpc(worker, "claim_thoughts", {
        p_thought_ids: found.map(({ id }) => id),
        p_work_type: worker.workType,
        p_worker_id: worker.workerId,
        p_ttl_seconds: 60,
      }),
    );
    for (const thought of found.filter(({ id }) => won.has(id))) {
      await worker.work(thought);
      const released = await rpc(worker, "release_thought", {
        p_thought_id: thought.id,
        p_work_type: worker.workType,
        p_worker_id: worker.workerId,
        p_status: "succeeded",
      });
      if (released) finished.push(thought.id);
    }
  }
  await rpc(worker, "release_claims_for_worker", {
    p_work_type: worker.workType,
    p_worker_id: worker.workerId,
  });
  return finished;
}

/** Thoughts without a claim of this work type: an anti-join by embedding. */
export async function candidates(
  { url, secretKey, workType, prefix, batch }: Omit<ForeignWorker, "work" | "workerId">,
): Promise<Candidate[]> {
  const query = new URLSearchParams({
    select: "id,content,claims:thought_work_claims(thought_id)",
    "claims.work_type": `eq.${workType}`,
    claims: "is.null",
    content: `like.${prefix}*`,
    limit: String(batch),
  });
  const response = await fetch(`${url}/rest/v1/thoughts?${query}`, { headers: keys(secretKey) });
  return await answerOf(response);
}

/** Calls a function of the data API. */
export async function rpc(
  { url, secretKey }: Pick<ForeignWorker, "url" | "secretKey">,
  name: string,
  args: Record<string, unknown>,
  // deno-lint-ignore no-explicit-any -- whatever the function returns
): Promise<any> {
  const response = await fetch(`${url}/rest/v1/rpc/${name}`, {
    method: "POST",
    headers: { ...keys(secretKey), "content-type": "application/json" },
    body: JSON.stringify(args),
  });
  return await answerOf(response);
}

function keys(secretKey: string) {
  return { apikey: secretKey, authorization: `Bearer ${secretKey}` };
}

async function answerOf(response: Response) {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return JSON.parse(text);
}
