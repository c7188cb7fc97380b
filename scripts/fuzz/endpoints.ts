import { Ajv2020 } from "ajv/dist/2020.js";
import type fc from "fast-check";
import { join } from "node:path";
import { PROJECT_DIR } from "../stack/migrate.ts";
import { bodiesOf, type Schema } from "./bodies.ts";

/** An endpoint as functions/openapi.json describes it. */
export interface Endpoint {
  name: string;
  method: "GET" | "POST";
  /** Bodies it takes; null where it takes none. */
  bodies: fc.Arbitrary<unknown> | null;
  /** Whether it is told to take this one. */
  allows(body: unknown): boolean;
  /** What an answer has that the description does not, or null. */
  objection(status: number, body: unknown): string | null;
}

interface Content {
  content: { "application/json": { schema: Schema } };
}

interface Operation {
  operationId: string;
  requestBody?: Content;
  responses: Record<string, Content>;
}

/** All endpoints, by name. */
export async function readEndpoints(): Promise<Map<string, Endpoint>> {
  const document = JSON.parse(await Deno.readTextFile(join(PROJECT_DIR, "functions/openapi.json")));
  const ajv = new Ajv2020({ strict: false, validateFormats: false, validateSchema: false });
  ajv.addSchema(document, "openapi");
  const compile = (schema: Schema) => ajv.compile({ $ref: `openapi${schema.$ref}` });
  const schemas: Record<string, Schema> = document.components.schemas;

  const describe = (method: string, operation: Operation): Endpoint => {
    const body = operation.requestBody?.content["application/json"].schema;
    const isBody = body && compile(body);
    const isAnswer = new Map(
      Object.entries(operation.responses).map(([status, { content }]) =>
        [Number(status), compile(content["application/json"].schema)] as const
      ),
    );
    return {
      name: operation.operationId,
      method: method.toUpperCase() as Endpoint["method"],
      bodies: body ? bodiesOf(body, schemas) : null,
      allows: (value) => isBody?.(value) ?? false,
      objection(status, answer) {
        const fits = isAnswer.get(status);
        if (!fits) return `functions/openapi.json has no status ${status} for it`;
        return fits(answer) ? null : `${ajv.errorsText(fits.errors)} in the answer`;
      },
    };
  };
  return new Map(
    Object.values(document.paths as Record<string, Record<string, Operation>>)
      .flatMap((methods) => Object.entries(methods))
      .map(([method, operation]) => [operation.operationId, describe(method, operation)]),
  );
}
