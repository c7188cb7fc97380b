import type { Deployment, Verified } from "./deployment.ts";
import { call, callDispatch } from "./outside.ts";

const REFUSALS = [401, 403, 404];

/** Whether strangers are refused: by every door that is asked, and by what the database grants. */
export async function closedness(
  deployment: Deployment,
  publishableKey: string | null,
): Promise<Verified> {
  const opened = [...await openDoors(deployment, publishableKey), ...await grants(deployment)];
  return {
    what: "strangers are refused",
    passed: opened.length === 0,
    found: opened.length === 0
      ? `by functions and data API, without a key${
        publishableKey ? " and with the publishable key" : ""
      }`
      : opened.join("; "),
    mend:
      "A later migration may have granted it: run select dibs.seal() as postgres, then the same again.",
  };
}

async function openDoors(deployment: Deployment, publishableKey: string | null): Promise<string[]> {
  const opened: string[] = [];
  const note = (what: string, status: number | null = null) => {
    if (!REFUSALS.includes(status ?? 0)) opened.push(`${what} answers ${status ?? "nothing"}`);
  };
  for (const apikey of [null, publishableKey].filter((key, n) => n === 0 || key !== null)) {
    const who = apikey ? "with the publishable key" : "without a key";
    const headers: HeadersInit = apikey ? { apikey } : {};
    note(`status ${who}`, (await call(deployment, "/functions/v1/status", { headers }))?.status);
    note(`dispatch ${who}`, await callDispatch(deployment, headers));
    note(`tasks ${who}`, (await call(deployment, "/rest/v1/tasks?limit=1", { headers }))?.status);
    const claim = {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: '{"p_worker_id": "nobody", "p_types": ["nothing"]}',
    };
    note(`claim_tasks ${who}`, (await call(deployment, "/rest/v1/rpc/claim_tasks", claim))?.status);
  }
  note(
    "dispatch with another secret",
    await callDispatch(deployment, { "x-dispatch-secret": "another" }),
  );
  return opened;
}

/** What anon and authenticated may do with anything of Dibs. */
async function grants({ sql }: Deployment): Promise<string[]> {
  const granted = await sql`
    with role (name) as (values ('anon'), ('authenticated'))
    select role.name || ' may execute ' || p.oid::regprocedure as grant
    from pg_proc p, role
    where (p.pronamespace = 'dibs'::regnamespace
        or p.pronamespace = 'public'::regnamespace and p.proname = any (dibs.interface()))
      and has_function_privilege(role.name, p.oid, 'execute')
    union all
    select role.name || ' has privileges on ' || c.oid::regclass
    from pg_class c, role
    where c.relkind in ('r', 'p', 'v')
      and (c.relnamespace = 'dibs'::regnamespace
        or c.oid in ('public.tasks'::regclass, 'public.thought_work_claims'::regclass))
      and has_table_privilege(role.name, c.oid, 'select, insert, update, delete')`;
  return granted.map((row) => row.grant);
}
