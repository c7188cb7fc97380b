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
    select p.proname as function, array_agg(a.name) as arguments
    from pg_proc p, unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]) a(name, type)
    where p.pronamespace = 'public'::regnamespace and a.type in ('json'::regtype, 'jsonb'::regtype)
    group by p.proname`;
  return new Map(rows.map((row) => [row.function, row.arguments]));
}

/** The same call with its json arguments encoded; any other request as it came. */
export async function encodeJsonArguments(
  request: Request,
  jsonArguments: Map<string, string[]>,
): Promise<Request> {
  const { pathname } = new URL(request.url);
  const names = jsonArguments.get(pathname.slice(RPC.length));
  if (request.method !== "POST" || !pathname.startsWith(RPC) || !names) return request;

  // Not a copy of the request: that would also watch over the signal of the one it is a copy of.
  const { method, headers } = request;
  const body = encode(await request.text(), names);
  return new Request(request.url, { method, headers, body });
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
