import { openApiDocument } from "../../functions/_shared/openapi.ts";

/** The text of `functions/openapi.json`: the seven endpoints for readers and tools outside. */
export function openApiJson(): string {
  return JSON.stringify(openApiDocument(), null, 2) + "\n";
}
