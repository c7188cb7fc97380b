import fc from "fast-check";
import { CANARY, NUMERIC_CANARY, oddText } from "./texts.ts";

/** As much of JSON Schema as functions/openapi.json uses. */
export interface Schema {
  $ref?: string;
  anyOf?: Schema[];
  enum?: unknown[];
  type?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | false;
  propertyNames?: Schema;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  format?: string;
  pattern?: string;
  examples?: unknown[];
}

/** How many leases the database has to offer, and how many ids of what they hold. */
export const LEASES_AT_HAND = 10;
export const IDS_AT_HAND = 40;

/** Bodies that a schema allows; what it refers to is looked up in `schemas`. */
export function bodiesOf(schema: Schema, schemas: Record<string, Schema>): fc.Arbitrary<unknown> {
  const of = (inner: Schema) => bodiesOf(inner, schemas);
  if (schema.$ref) return of(schemas[schema.$ref.split("/").at(-1)!]);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(of));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "object":
      return objects(schema, of);
    case "array":
      return arrays(schema, of);
    case "string":
      return preferring(schema.examples, texts(schema));
    case "integer":
      return preferring(schema.examples, wholeNumbers(schema));
    case "boolean":
      return fc.boolean();
    case undefined:
      return anyJson;
    default:
      throw new Error(
        `There is a ${schema.type} in functions/openapi.json; teach bodies.ts about it.`,
      );
  }
}

const anyJson = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.record({ text: oddText(0, 4_000), n: fc.constant(Number(`${NUMERIC_CANARY}0000`)) }),
  oddText(0, 4_000).map((text) => ({ [text]: { [CANARY]: [text] } })),
);

function objects(schema: Schema, of: (schema: Schema) => fc.Arbitrary<unknown>) {
  const { properties, required, additionalProperties, propertyNames } = schema;
  if (properties) {
    const fields: Record<string, fc.Arbitrary<unknown>> = {};
    for (const [name, inner] of Object.entries(properties)) fields[name] = of(inner);
    return fc.record(fields, { requiredKeys: required ?? [] });
  }
  const keys = propertyNames?.pattern ? of(propertyNames) : oddText(0, 200);
  return fc.dictionary(keys as fc.Arbitrary<string>, of(additionalProperties || {}), {
    maxKeys: 4,
    noNullPrototype: true,
  });
}

/** Mostly few, sometimes as many as may be. */
function arrays(
  { items = {}, minItems = 0, maxItems = 1_000 }: Schema,
  of: (schema: Schema) => fc.Arbitrary<unknown>,
) {
  const item = of(items);
  return fc.oneof(
    { weight: 200, arbitrary: fc.array(item, { minLength: minItems, maxLength: minItems + 3 }) },
    { weight: 1, arbitrary: item.map((it) => Array(Math.min(maxItems, fitting(it))).fill(it)) },
  );
}

/** How many of it fit into a body, give or take. */
function fitting(item: unknown): number {
  return Math.ceil(200_000 / (JSON.stringify(item).length + 1));
}

function texts({ format, pattern, minLength = 0, maxLength = 4_000 }: Schema) {
  if (format === "uuid") return fc.oneof(atHand("id", IDS_AT_HAND), fc.uuid());
  if (pattern?.startsWith("^[0-9]")) {
    return fc.oneof(
      { weight: 3, arbitrary: atHand("fence", LEASES_AT_HAND) },
      { weight: 1, arbitrary: fc.stringMatching(new RegExp(pattern)) },
    );
  }
  if (pattern) return fc.stringMatching(new RegExp(pattern), { size: "small" });
  return oddText(minLength, maxLength);
}

/** Stands for one that is known only when the request is sent. */
function atHand(what: "id" | "fence", most: number): fc.Arbitrary<string> {
  return fc.nat(most - 1).map((n) => `@${what} ${n}@`);
}

function wholeNumbers({ minimum = 0, maximum = 2 ** 53 - 1 }: Schema) {
  return fc.oneof(fc.constantFrom(minimum, maximum), fc.integer({ min: minimum, max: maximum }));
}

function preferring(examples: unknown[] | undefined, others: fc.Arbitrary<unknown>) {
  if (!examples) return others;
  return fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom(...examples) },
    { weight: 2, arbitrary: others },
  );
}
