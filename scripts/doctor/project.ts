import { deadline } from "@std/async/deadline";
import postgres, { type Sql, type TransactionSql } from "postgres";
import { type Answer, askFunctions, askStatus, type FunctionName } from "./answers.ts";
import type { Inputs } from "./inputs.ts";

/** What a check may ask for; each is there or has a reason why not. */
export type Need =
  | "database"
  | "dibs"
  | "pg_cron"
  | "pg_net"
  | "vault"
  | "functions"
  | "key";

/** What a database has, as far as most checks depend on it. */
export interface Database {
  version: string;
  version_num: number;
  dibs: boolean;
  pg_cron: boolean;
  pg_net: boolean;
  vault: boolean;
  /** By name, those made by `create extension`. */
  extensions: Record<string, string>;
}

const LONGEST_QUERY_MS = 20_000;
/** What PostgreSQL does not end itself: a connection that has gone silent. */
const LONGEST_READ_MS = 40_000;

/** A project under examination. All that is asked of it changes nothing. */
export class Project implements AsyncDisposable {
  readonly #sql: Sql | null;
  #database?: Promise<Database>;
  #functions?: Promise<Map<FunctionName, Answer>>;
  #status?: Promise<Answer>;

  constructor(readonly inputs: Inputs) {
    this.#sql = inputs.databaseUrl ? connect(inputs.databaseUrl) : null;
  }

  /** Runs queries in a transaction that may only read. */
  async read<T>(query: (sql: TransactionSql) => Promise<T>): Promise<T> {
    if (!this.#sql) throw new Error(NOT_GIVEN.database);
    const reading: Promise<unknown> = this.#sql.begin("read only", async (sql) => {
      await sql.unsafe(`set local statement_timeout = ${LONGEST_QUERY_MS}`);
      await sql.unsafe("set local lock_timeout = '3s'");
      // So every name is told with its schema.
      await sql.unsafe("set local search_path = ''");
      return await query(sql);
    });
    return await deadline(reading, LONGEST_READ_MS) as T;
  }

  database(): Promise<Database> {
    return this.#database ??= this.read(describeDatabase);
  }

  /** What each function answers to a request without any key. */
  functions(): Promise<Map<FunctionName, Answer>> {
    return this.#functions ??= askFunctions(this.inputs.url!);
  }

  /** What the function `status` answers to the secret key. */
  status(): Promise<Answer> {
    return this.#status ??= askStatus(this.inputs.url!, this.inputs.secretKey!);
  }

  /** Why something needed is not there, or null when all of it is. */
  async missing(needs: Need[]): Promise<string | null> {
    for (const need of needs) {
      const reason = await this.#missing(need);
      if (reason) return reason;
    }
    return null;
  }

  async #missing(need: Need): Promise<string | null> {
    if (need === "key") return this.inputs.secretKey ? null : NOT_GIVEN.key;
    if (need === "functions") {
      if (!this.inputs.url) return NOT_GIVEN.url;
      return isAnswered(await this.functions()) ? null : "nothing answers at SUPABASE_URL";
    }
    if (!this.inputs.databaseUrl) return NOT_GIVEN.database;
    const database = await this.database().catch(() => null);
    if (!database) return "the database does not answer";
    if (need === "database" || database[need]) return null;
    return need === "dibs" ? "Dibs is not in the database" : `the database has no ${need}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sql?.end({ timeout: 1 });
  }
}

const NOT_GIVEN = {
  database: "the address of the database was not given",
  url: "SUPABASE_URL was not given",
  key: "SUPABASE_SECRET_KEY was not given",
};

/** One connection, of the kind that a pooler's transaction mode takes, too. */
function connect(url: string): Sql {
  return postgres(url, {
    max: 1,
    connect_timeout: 10,
    prepare: false,
    fetch_types: false,
    onnotice: () => {},
    connection: { application_name: "dibs doctor" },
    ...new URL(url).searchParams.has("sslmode") ? {} : { ssl: "prefer" as const },
  });
}

async function describeDatabase(sql: TransactionSql): Promise<Database> {
  const [database] = await sql<Database[]>`
    select current_setting('server_version') as version, current_setting('server_version_num')::int as version_num,
      to_regprocedure('dibs.version()') is not null as dibs,
      to_regprocedure('cron.schedule(text, text, text)') is not null as pg_cron,
      to_regclass('net.http_request_queue') is not null as pg_net,
      to_regclass('vault.decrypted_secrets') is not null as vault,
      (select coalesce(jsonb_object_agg(extname, extversion), '{}') from pg_extension) as extensions`;
  return database;
}

/** Whether anybody is there at all. */
export function isAnswered(answers: Map<FunctionName, Answer>): boolean {
  return [...answers.values()].some(({ status }) => status !== 0);
}
