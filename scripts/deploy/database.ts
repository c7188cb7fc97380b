import postgres, { type Sql } from "postgres";
import type { ManagementApi } from "./management_api.ts";
import type { Platform } from "./platform.ts";
import { Problem, problemFrom } from "./problem.ts";

/** A project's database. */
export interface Database {
  /** Its address, without the password. */
  url: string;
  password: string;
}

const CONNECT_SECONDS = 10;
/** Direct connections have an IPv6 address only: where there is no IPv6, none is soon there. */
const DIRECT_MS = 3_000;
/** Supavisor has two doors; this one changes the server with every transaction, and so loses settings and locks. */
const TRANSACTION_PORT = "6543";
const SESSION_PORT = "5432";

/** By the address that was given, else by the password: directly, or through the project's pooler. */
export async function findDatabase(
  { ref, platform, api, address, password }: {
    ref: string;
    platform: Platform;
    api: ManagementApi | null;
    address?: string;
    password?: string;
  },
): Promise<Database> {
  const url = address ? parse(address) : new URL(
    password ? await addressOf(ref, platform, api) : noDatabase(),
  );
  const found = decodeURIComponent(url.password) || password || noDatabase();
  url.password = "";
  if (url.port === TRANSACTION_PORT) url.port = SESSION_PORT;
  if (!url.searchParams.has("sslmode")) {
    url.searchParams.set("sslmode", isLoopback(url.hostname) ? "disable" : "require");
  }
  refuseOther(url, ref, platform);
  return { url: url.href, password: found };
}

/** A connection to it, which is made with the first query. */
export function connect({ url, password }: Database): Sql {
  return postgres(url, {
    password,
    max: 1,
    prepare: false,
    connect_timeout: CONNECT_SECONDS,
    onnotice: () => {},
  });
}

/** What the driver throws, told so that it can be mended. */
export function databaseProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { message, code = "" } = error as Error & { code?: string };
  return problemFrom(`The database says: ${message} (${code})`, [
    [
      /28P01|28000|password/i,
      "Is it the database's password? Dashboard → Database → Settings has it reset, never shown.",
    ],
    [
      /CONNECT|ENOTFOUND|EHOSTUNREACH|ETIMEDOUT|resolve|lookup/i,
      "Is the address right, and the project not paused? Dashboard → Connect → Session pooler has one " +
      "that every network reaches: give it as SUPABASE_DB_URL.",
    ],
    [/55P03|lock timeout/, "Something kept a table for too long. Run the same again."],
  ], "Mend what it says, then run the same again: it goes on where it stopped.");
}

function parse(address: string): URL {
  try {
    const url = new URL(address);
    if (/^postgres(ql)?:$/.test(url.protocol) && url.hostname) return url;
  } catch {
    // The same goes for it.
  }
  throw new Problem(
    "The address of the database is none.",
    "It begins with postgresql:// and has a user and a host: Dashboard → Connect → Session pooler.",
  );
}

function noDatabase(): never {
  throw new Problem(
    "The database cannot be reached without its password.",
    "Set SUPABASE_DB_PASSWORD (Dashboard → Database → Settings → Reset password), or SUPABASE_DB_URL.",
  );
}

async function addressOf(
  ref: string,
  { projectHost }: Platform,
  api: ManagementApi | null,
): Promise<string> {
  const direct = `db.${ref}.${projectHost}`;
  if (await answers(direct)) return `postgresql://postgres@${direct}:5432/postgres`;
  const pooler = (await api?.poolers())?.find(({ database_type }) => database_type === "PRIMARY");
  if (pooler) {
    const { db_user, db_host, db_port, db_name } = pooler;
    return `postgresql://${db_user}@${db_host}:${db_port}/${db_name}`;
  }
  throw new Problem(
    `${direct} cannot be reached from here (it has an IPv6 address only), nor is its pooler known.`,
    "Give the address of the pooler as SUPABASE_DB_URL: Dashboard → Connect → Session pooler.",
  );
}

async function answers(hostname: string): Promise<boolean> {
  const signal = AbortSignal.timeout(DIRECT_MS);
  const connected = Deno.connect({ hostname, port: 5432, signal });
  return await connected.then((connection) => {
    connection.close();
    return true;
  }, () => false);
}

/** The Vault of another project would be told to call this one. */
function refuseOther(url: URL, ref: string, { projectHost }: Platform): void {
  const hosts = [projectHost, "supabase.co", "supabase.com"];
  const isHosted = hosts.some((host) => url.hostname.endsWith(`.${host}`));
  if (!isHosted || `${decodeURIComponent(url.username)}@${url.hostname}`.includes(ref)) return;
  throw new Problem(
    `The address of the database, at ${url.hostname}, is not of the project ${ref}.`,
    "Take address and project ref from the same project.",
  );
}

function isLoopback(hostname: string): boolean {
  return ["127.0.0.1", "localhost", "[::1]"].includes(hostname);
}
