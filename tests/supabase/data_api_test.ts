// The data API from outside: with the publishable key, which is in every browser, and with none.
import assert from "node:assert/strict";
import postgres from "postgres";
import { contents } from "../support/contents.ts";
import { sharedStack, testStack } from "../support/stack.ts";

type Api = Pick<
  ReturnType<typeof sharedStack>,
  "url" | "databaseUrl" | "secretKey" | "publishableKey"
>;

Deno.test("who has no secret key can call, read and write nothing, where new objects are hidden", async () => {
  await refusesStrangers(sharedStack());
});

Deno.test("who has no secret key can call, read and write nothing, where new objects are exposed", async () => {
  await using stack = await testStack({ regime: "exposed" });
  const sql = postgres(stack.databaseUrl, { max: 1 });
  await sql`insert into public.thoughts (content) values ('a secret')`;
  // Not due: dispatch would come for it.
  await sql`select public.create_task('secret', p_run_at => now() + interval '1 day')`;
  const written = async () => {
    const { "public.thoughts": thoughts, "public.thought_work_claims": claims, "dibs.log": log } =
      await contents(sql);
    return { thoughts, claims, log };
  };
  const before = await written();
  await refusesStrangers(stack);
  assert.deepEqual(await written(), before);
  await sql.end();
});

async function refusesStrangers(api: Api): Promise<void> {
  const { url, databaseUrl, secretKey, publishableKey } = api;
  const send = async (key: string | null, { method, path, body, schema }: ApiRequest) => {
    const headers = {
      "content-type": "application/json",
      ...key && { apikey: key },
      ...schema && { "accept-profile": schema, "content-profile": schema },
    };
    const response = await fetch(`${url}/rest/v1/${path}`, { method, body, headers });
    return { status: response.status, code: (await response.json().catch(() => ({}))).code };
  };
  const requests = await everyRequest(databaseUrl);
  assert(requests.length > 35, `${requests.length} requests`);
  for (const request of requests) {
    const name = `${request.method} ${request.path}`;
    assert.equal((await send(null, request)).status, 401, name);
    assert.equal((await send(`${secretKey}x`, request)).status, 401, name);
    assert.deepEqual(await send(publishableKey, request), { status: 401, code: "42501" }, name);
    if (request.method === "GET") assert.equal((await send(secretKey, request)).status, 200, name);
  }
  // What no API exposes is nobody's, not even who has the secret key.
  for (const schema of ["dibs", "net", "cron", "vault"]) {
    for (const path of ["log", "rpc/tick", "http_request_queue", "job", "decrypted_secrets"]) {
      const { status } = await send(secretKey, { method: "POST", path, body: "{}", schema });
      assert.equal(status, 406, `${schema}: ${path}`);
    }
  }
}

interface ApiRequest {
  method: string;
  path: string;
  body?: string;
  schema?: string;
}

async function everyRequest(databaseUrl: string): Promise<ApiRequest[]> {
  const sql = postgres(databaseUrl, { max: 1 });
  const functions = await sql`
    select proname as name, (
      select coalesce(jsonb_object_agg(n, null), '{}') from unnest(proargnames[1:pronargs]) n) as arguments
    from pg_proc where pronamespace = 'public'::regnamespace`;
  await sql.end();
  return [
    ...functions.map(({ name, arguments: given }) => ({
      method: "POST",
      path: `rpc/${name}`,
      body: JSON.stringify(given),
    })),
    ...Object.entries({ thoughts: "content", thought_work_claims: "work_type", tasks: "type" })
      .flatMap(([table, column]) => {
        const body = JSON.stringify({ [column]: "x" });
        return [
          { method: "GET", path: table },
          { method: "POST", path: table, body },
          { method: "PATCH", path: `${table}?${column}=eq.x`, body },
          { method: "DELETE", path: `${table}?${column}=eq.x` },
        ];
      }),
  ];
}
