import type { SupabaseClient } from "@supabase/supabase-js";
import postgres, { type Sql } from "postgres";
import type { DatabaseError } from "../../../functions/_shared/errors.ts";
import { createRpc, type Rpc } from "../../../functions/_shared/rpc.ts";
import { Connection } from "../connection.ts";

interface Answer {
  data: unknown;
  error: DatabaseError | null;
  status: number;
}

/** The typed client over SQL: the same functions, called by a connection instead of the data API. */
export function sqlRpc(databaseUrl: string): Rpc {
  const connection = new Connection(databaseUrl, { name: "worker", role: "service_role" });
  /** The one method of a client that the typed client uses. */
  const rpc = (name: string, args: Record<string, unknown>) => ({
    retry: () => ({
      abortSignal: (signal: AbortSignal) =>
        connection.run((sql) => call(sql, name, args), signal).then(answered, refused),
    }),
  });
  return createRpc({ rpc } as unknown as SupabaseClient);
}

function answered(data: unknown): Answer {
  return { data, error: null, status: 200 };
}

function refused(error: unknown): Answer {
  return error instanceof postgres.PostgresError
    ? { data: null, error, status: 500 }
    : { data: null, error: { message: String(error) }, status: 0 };
}

const setsOf = new WeakMap<Sql, Promise<Set<string>>>();

/** As the data API answers: a set as an array, a row as an object, a value as it is. */
async function call(sql: Sql, name: string, args: Record<string, unknown>): Promise<unknown> {
  if (!setsOf.has(sql)) setsOf.set(sql, findSets(sql));
  const isSet = (await setsOf.get(sql)!).has(name);
  const given = Object.entries(args).filter(([, value]) => value !== undefined);
  const called = `public.${name}(${given.map(([key], n) => `${key} => $${n + 1}`)})`;
  const [{ data }] = await sql.unsafe(
    isSet
      ? `select coalesce(json_agg(to_json(r)), '[]') as data from ${called} r`
      : `select to_json(r) as data from ${called} r`,
    given.map(([, value]) => value as never),
  );
  return data;
}

/** The functions that return sets. */
async function findSets(sql: Sql): Promise<Set<string>> {
  const rows = await sql`
    select proname from pg_proc where pronamespace = 'public'::regnamespace and proretset`;
  return new Set(rows.map(({ proname }) => proname));
}
