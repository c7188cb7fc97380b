// The stack's one public port, laid out as a hosted project's: /rest/v1 is answered here by
// @supabase/lite on the real PostgreSQL, /functions/v1 is handed to the functions process. Beside them,
// at /dashboard, is what hosted projects do not have.
import { deadline } from "@std/async/deadline";
import { App } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
import { runUntilParentEnds, serve, setting } from "./child.ts";
import {
  encodeJsonArguments,
  findJsonArguments,
  functionCalledBy,
  JSON_TYPES,
} from "./lite_json_arguments.ts";

const REST = "/rest/v1/";
const FUNCTIONS = "/functions/v1/";
const DASHBOARD = "/dashboard/";
/** Far more than it takes; on a connection that broke it would take for ever. */
const LONGEST_READ_MS = 10_000;

const dataApi = await startDataApi();
const functionsUrl = setting("DIBS_FUNCTIONS_URL");
let dashboard: ((request: Request) => Promise<Response>) | undefined;

serve((request, { remoteAddr }) => {
  const { pathname, search } = new URL(request.url);
  if (pathname.startsWith(REST)) return dataApi(request, remoteAddr.hostname);
  if (pathname.startsWith(FUNCTIONS)) {
    return forward(request, `${functionsUrl}/${pathname.slice(FUNCTIONS.length)}${search}`);
  }
  if (`${pathname}/`.startsWith(DASHBOARD)) return showDashboard(request);
  return problem(
    404,
    "NOT_FOUND",
    `Nothing is served at ${pathname}.`,
    `Try ${REST} or ${FUNCTIONS}.`,
  );
});
runUntilParentEnds();

async function startDataApi() {
  const connection = createPostgresConnection({
    // Only a role that may see every table finds them all; each request then takes its own role.
    url: setting("DIBS_DATABASE_URL"),
    postgresOptions: {
      connection: { statement_timeout: 8_000, lock_timeout: 8_000 },
      types: JSON_TYPES,
    },
  });
  // Otherwise the first request would grant every table to anon and authenticated.
  Object.assign(connection, { rlsState: "active" });
  const app = new App({
    connection,
    auth: {
      enabled: false,
      publishable_key: setting("DIBS_PUBLISHABLE_KEY"),
      secret_key: setting("DIBS_SECRET_KEY"),
      jwt_secret: setting("DIBS_JWT_SECRET"),
    },
  });
  await app.init();
  // lite itself would read the schema anew with each request that comes before it is read, and take what it
  // cannot read for empty.
  const readSchema = async () => {
    const jsonArguments = await findJsonArguments(connection.driver);
    const { tables } = await connection.introspect();
    if (tables.length === 0) throw new Error("The schema could not be read.");
    return jsonArguments;
  };
  let reading: ReturnType<typeof readSchema> | null = null;
  return async (request: Request, peerAddress: string) => {
    const jsonArguments = await (reading ??= deadline(readSchema(), LONGEST_READ_MS))
      .catch(() => reading = null);
    if (!jsonArguments) return databaseGone();
    const encoded = await encodeJsonArguments(request, jsonArguments);
    const response = await app.fetch(encoded, { peerAddress });
    // lite looks for a function anew with each call, and says that there is none when the database is gone.
    const isGone = response.status === 404 && jsonArguments.has(functionCalledBy(request));
    return isGone ? databaseGone() : response;
  };
}

/** Loaded when somebody looks: a stack starts faster without. */
async function showDashboard(request: Request): Promise<Response> {
  const { createDashboard } = await import("../dashboard/server.ts");
  dashboard ??= createDashboard({
    url: `http://127.0.0.1:${setting("DIBS_PORT")}`,
    secretKey: setting("DIBS_SECRET_KEY"),
    databaseUrl: setting("DIBS_DATABASE_URL"),
  }, { base: DASHBOARD });
  return dashboard(request);
}

function databaseGone(): Response {
  return problem(503, "PGRST002", "The database is not answering.", "Retry in a moment.");
}

async function forward(request: Request, url: string): Promise<Response> {
  const headers = new Headers(request.headers);
  headers.delete("host");
  headers.set("accept-encoding", "identity");
  try {
    return await fetch(url, {
      method: request.method,
      headers,
      body: request.body,
      redirect: "manual",
    });
  } catch {
    return problem(
      503,
      "SERVICE_UNAVAILABLE",
      "The functions process is not answering.",
      "It is being started again; retry in a moment.",
    );
  }
}

function problem(status: number, code: string, message: string, hint: string): Response {
  return Response.json({ code, message, hint }, { status });
}
