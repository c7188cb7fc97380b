import { stripVTControlCharacters } from "node:util";

/**
 * Text of users as a terminal may show it: one line, without escape sequences, other control
 * characters, and those that cannot be seen or turn the direction of reading.
 */
export function plain(text: string): string {
  return stripVTControlCharacters(text.toWellFormed())
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/[^\P{Cf}\u200d]/gu, "")
    .trim();
}

/** A value of any JSON, on one line. */
export function compact(value: unknown): string {
  if (value === null || value === undefined) return "";
  return plain(typeof value === "string" ? value : JSON.stringify(value));
}

/** JSON that says the same and is harmless on a terminal, too. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f]|\p{Zl}|\p{Zp}|[^\P{Cf}\u200d]/gu,
    (character) =>
      Array.from(
        { length: character.length },
        (_, n) => `\\u${character.charCodeAt(n).toString(16).padStart(4, "0")}`,
      ).join(""),
  );
}
