/** What of payloads, results and progress may not be shown: fields of these names, wherever they are, or all. */
export type Redaction = "all" | string[];

const HIDDEN = "[redacted]";

/** A value as it may be shown: its shape stays, what is hidden becomes a fixed text. */
export function redact(value: unknown, redaction: Redaction): unknown {
  if (value === null || value === undefined) return value;
  if (redaction === "all") return HIDDEN;
  const names = new Set(redaction.map((name) => name.toLowerCase()));
  return names.size === 0 ? value : without(value, names);
}

function without(value: unknown, names: Set<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => without(item, names));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map((
      [name, inner],
    ) => [name, names.has(name.toLowerCase()) ? HIDDEN : without(inner, names)]),
  );
}
