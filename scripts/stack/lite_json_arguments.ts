// Closes one gap of @supabase/lite 0.10: it encodes json and jsonb arguments of functions twice,
// so that an array arrives as a string. PostgREST does not; remove this when lite does not either.
import type { Sql } from "postgres";

const RPC = "/rest/v1/rpc/";

/** Stands before a json argument that is encoded already; unguessable, so never a user's text. */
const ENCODED = crypto.randomUUID();

/** How postgres.js is to write json: what {@link encodeJsonArguments} encoded stays as it is. */
export const JSON_TYPES = {
  json: jsonType(114),
  jsonb: jsonType(3802),
};

/** The names of the json arguments of every function the API may call. */
export async function findJsonArguments(sql: Sql): Promise<Map<string, string[]>> {
  const rows = await sql`
    select p.proname as function,
      coalesce(array_agg(a.name) filter (where a.type in ('json'::regtype, 'jsonb'::regtype)), '{}') as arguments
    from pg_proc p left join unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]) a(name, type) on true
    where p.pronamespace = 'public'::regnamespace
    group by p.proname`;
  return new Map(rows.map((row) => [row.function, row.arguments]));
}

/** The same call with its json arguments encoded; any other request as it came. */
export async function encodeJsonArguments(
  request: Request,
  jsonArguments: Map<string, string[]>,
): Promise<Request> {
  const names = jsonArguments.get(functionCalledBy(request)) ?? [];
  if (request.method !== "POST" || names.length === 0) return request;

  // Not a copy of the request: that would also watch over the signal of the one it is a copy of.
  const { method, headers } = request;
  const body = encode(await request.text(), names);
  return new Request(request.url, { method, headers, body });
}

/** The name of the function that a request to the API calls; empty when it calls none. */
export function functionCalledBy({ url }: Request): string {
  const { pathname } = new URL(url);
  return pathname.startsWith(RPC) ? pathname.slice(RPC.length) : "";
}

function encode(body: string, names: string[]): string {
  try {
    const given = JSON.parse(body);
    for (const name of names.filter((name) => (given[name] ?? null) !== null)) {
      given[name] = ENCODED + JSON.stringify(given[name]);
    }
    return JSON.stringify(given);
  } catch {
    return body; // Not JSON, or no object: lite says so itself.
  }
}

function jsonType(oid: number) {
  return {
    to: oid,
    from: [oid],
    serialize: (value: unknown) =>
      typeof value === "string" && value.startsWith(ENCODED)
        ? value.slice(ENCODED.length)
        : JSON.stringify(value),
    parse: (text: string) => JSON.parse(text),
  };
}
