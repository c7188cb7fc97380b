/**
 * JSON as it is written, which can say more than a value of JavaScript: numbers that no double is,
 * keys that come twice, keys that mean something to an object.
 */
export type Json = { raw: string } | { items: Json[] } | { fields: [string, Json][] };

/** A value as it is usually written. */
export function written(value: unknown): Json {
  if (Array.isArray(value)) return { items: value.map(written) };
  if (typeof value !== "object" || value === null) return { raw: JSON.stringify(value) };
  return { fields: Object.entries(value).map(([key, inner]) => [key, written(inner)]) };
}

export function textOf(json: Json): string {
  if ("raw" in json) return json.raw;
  if ("items" in json) return `[${json.items.map(textOf).join()}]`;
  return `{${json.fields.map(([key, inner]) => `${JSON.stringify(key)}:${textOf(inner)}`).join()}}`;
}

/** The value itself and every one in it, outermost first. */
export function partsOf(json: Json): Json[] {
  if ("raw" in json) return [json];
  const inner = "items" in json ? json.items : json.fields.map(([, value]) => value);
  return [json, ...inner.flatMap(partsOf)];
}

/** Puts another value where this one is, wherever that may be. */
export function become(json: Json, other: Json): void {
  for (const key of Object.keys(json)) Reflect.deleteProperty(json, key);
  Object.assign(json, other);
}
