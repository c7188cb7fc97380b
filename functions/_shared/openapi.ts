import { z } from "zod";
import { ERRORS } from "./errors.ts";
import * as schemas from "./schemas.ts";

interface Operation {
  path: string;
  method: "get" | "post";
  summary: string;
  description: string;
  query?: z.ZodObject;
  request?: z.ZodType;
  responses: Record<
    number,
    { description: string; schema: z.ZodType; text?: TextContent; retryAfter?: true }
  >;
  /** Beyond those every operation can answer with. */
  errors?: number[];
  security?: Record<string, string[]>[];
}

/** What a response may be instead of JSON. */
interface TextContent {
  type: string;
  example: string;
}

const OPERATIONS: Operation[] = [
  {
    path: "/claim",
    method: "post",
    summary: "Claim tasks or thoughts",
    description:
      "Grants only what nobody else holds, under one lease. An empty list means: nothing now, ask again later.",
    request: schemas.ClaimRequest,
    responses: {
      200: { description: "What was granted.", schema: schemas.ClaimResponse, retryAfter: true },
    },
    errors: [409],
  },
  {
    path: "/renew",
    method: "post",
    summary: "Keep a lease alive",
    description:
      "The heartbeat: send it every third of the lease. 409 when nothing is held any more.",
    request: schemas.RenewRequest,
    responses: { 200: { description: "What is still held.", schema: schemas.RenewResponse } },
    errors: [409],
  },
  {
    path: "/release",
    method: "post",
    summary: "Settle granted work, or hand it back",
    description:
      "With a fence: report outcomes, and claim the next ones in the same call when asked to. " +
      "With a worker id: hand back everything that worker holds.",
    request: schemas.ReleaseRequest,
    responses: { 200: { description: "What was accepted.", schema: schemas.ReleaseResponse } },
    errors: [409],
  },
  {
    path: "/enqueue",
    method: "post",
    summary: "Enqueue tasks",
    description: "All of them or, on any error, none.",
    request: schemas.EnqueueRequest,
    responses: { 200: { description: "Their ids, in order.", schema: schemas.EnqueueResponse } },
    errors: [409],
  },
  {
    path: "/drain",
    method: "post",
    summary: "Run the handlers until the work or the budget ends",
    description: "Answers at once and works in the background, or with wait when it is done.",
    request: schemas.DrainRequest,
    responses: {
      200: { description: "With wait: what was done.", schema: schemas.DrainSummary },
      202: { description: "It runs in the background.", schema: schemas.DrainStarted },
    },
  },
  {
    path: "/dispatch",
    method: "post",
    summary: "Start as many drains as the backlog needs",
    description: "What the scheduler calls. Correctness never depends on it.",
    request: schemas.DispatchRequest,
    responses: { 202: { description: "How many were started.", schema: schemas.DispatchResponse } },
    security: [{ secretKey: [] }, { dispatchSecret: [] }],
  },
  {
    path: "/status",
    method: "get",
    summary: "The state of the whole",
    description: "Counts and ages of the backlog, live leases and the last dispatches.",
    query: schemas.StatusQuery,
    responses: {
      200: {
        description: "The state, as JSON or as metrics.",
        schema: schemas.Status,
        text: {
          type: "text/plain",
          example: '# TYPE dibs_tasks gauge\ndibs_tasks{status="pending"} 3\n',
        },
      },
    },
    errors: [400],
  },
];

const RETRY_AFTER = {
  "retry-after": { description: "Seconds to wait.", schema: { type: "integer" } },
};

/** The OpenAPI 3.1 document of the seven endpoints. */
export function openApiDocument() {
  return {
    openapi: "3.1.0",
    info: {
      title: "Dibs",
      version: "0.1.0",
      description:
        "Share one pool of work between parallel workers without two of them ever doing the same piece.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{
      url: "https://{ref}.supabase.co/functions/v1",
      variables: { ref: { default: "your-project", description: "The project's reference." } },
    }],
    security: [{ secretKey: [] }],
    paths: Object.fromEntries(OPERATIONS.map((op) => [op.path, { [op.method]: operation(op) }])),
    components: {
      schemas: components(),
      securitySchemes: {
        secretKey: {
          type: "apiKey",
          in: "header",
          name: "apikey",
          description: "A secret key: sb_secret_…",
        },
        dispatchSecret: {
          type: "apiKey",
          in: "header",
          name: "x-dispatch-secret",
          description: "Opens dispatch only.",
        },
      },
    },
  };
}

function operation(op: Operation) {
  return {
    operationId: op.path.slice(1),
    summary: op.summary,
    description: op.description,
    ...(op.security && { security: op.security }),
    ...(op.query && { parameters: parameters(op.query) }),
    ...(op.request && { requestBody: { required: true, content: json(op.request) } }),
    responses: {
      ...mapValues(
        op.responses,
        ({ description, schema, text, retryAfter }) => ({
          description,
          content: {
            ...json(schema),
            ...(text && { [text.type]: { schema: { type: "string" }, example: text.example } }),
          },
          ...(retryAfter && { headers: RETRY_AFTER }),
        }),
      ),
      ...Object.fromEntries(errorStatuses(op).map((status) => [status, errorResponse(status)])),
    },
  };
}

function parameters({ shape }: z.ZodObject) {
  return Object.entries(shape).map(([name, field]) => {
    const { $schema: _, description, ...schema } = z.toJSONSchema(field, { io: "input" });
    return { name, in: "query", description, schema };
  });
}

function errorStatuses({ request, errors = [] }: Operation): number[] {
  const ofBody = request ? [400, 413, 415, 422] : [];
  return [401, 404, 405, 429, 503, ...ofBody, ...errors].sort();
}

function errorResponse(status: number) {
  const codes = Object.entries(ERRORS).filter(([, kind]) => kind.status === status);
  return {
    description: codes.map(([code, { message }]) => `${code}: ${message}`).join(" "),
    content: json(schemas.ErrorBody),
    ...((status === 429 || status === 503) && { headers: RETRY_AFTER }),
  };
}

function json(schema: z.ZodType) {
  return { "application/json": { schema: schemas.reference(schema) } };
}

function components() {
  const all = z.toJSONSchema(z.globalRegistry, { uri: schemas.schemaUri, io: "input" }).schemas;
  return mapValues(all, ({ $schema: _, $id: __, ...schema }) => schema);
}

function mapValues<T, U>(record: Record<string, T>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
