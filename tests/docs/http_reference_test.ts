import assert from "node:assert/strict";
import { ERRORS } from "../../functions/_shared/errors.ts";
import { readDocument } from "./markdown.ts";

Deno.test("docs/http.md has every field a request may have, and no other", async () => {
  const text = await readDocument("docs/http.md");
  const { paths, components } = JSON.parse(await readDocument("functions/openapi.json"));
  for (const [path, { post }] of Object.entries<Record<string, Operation>>(paths)) {
    if (!post) continue;
    const schema = post.requestBody.content["application/json"].schema;
    assert.deepEqual(
      [...new Set(fieldsIn(sectionOf(text, path.slice(1))))].sort(),
      [...new Set(fieldsOf(schema, components.schemas))].sort(),
      path,
    );
  }
});

Deno.test("docs/http.md has every error code with its status, and no other", async () => {
  const text = sectionOf(await readDocument("docs/http.md"), "Errors");
  const described = [...text.matchAll(/^\| (\d+) +\| `(\w+)`/gm)].map(([, status, code]) =>
    `${status} ${code}`
  );
  const known = Object.entries(ERRORS).map(([code, { status }]) => `${status} ${code}`);
  assert.deepEqual(described.sort(), known.sort());
});

interface Operation {
  requestBody: { content: { "application/json": { schema: Schema } } };
}

interface Schema {
  $ref?: string;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  items?: Schema;
}

/** The names of its fields; of those in a list of objects, `tasks[].type`. */
function fieldsOf(schema: Schema, schemas: Record<string, Schema>): string[] {
  if (schema.$ref) return fieldsOf(schemas[schema.$ref.split("/").at(-1)!], schemas);
  if (schema.anyOf) return schema.anyOf.flatMap((one) => fieldsOf(one, schemas));
  return Object.entries(schema.properties ?? {}).flatMap(([name, { items }]) => [
    name,
    ...(items ? fieldsOf(items, schemas).map((inner) => `${name}[].${inner}`) : []),
  ]);
}

/** What stands first in the rows of a table. */
function fieldsIn(section: string): string[] {
  return [...section.matchAll(/^\| `([\w.[\]]+)` +\|/gm)].map(([, name]) => name);
}

function sectionOf(text: string, heading: string): string {
  const [, section] = text.split(`\n## ${heading}\n`);
  assert.ok(section, `there is no section ${heading}`);
  return section.split("\n## ")[0];
}
