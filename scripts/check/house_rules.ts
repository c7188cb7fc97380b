// Rules of this repository that no tool knows. Each returns the places that break it.
import type { Source } from "./sources.ts";

const LONGEST_FILE = 300;
const LONGEST_SQL_LINE = 120;

/** A file is one thing. One that must be longer says why in its first ten lines. */
export function tooLong(sources: Source[]): string[] {
  return sources
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n") }))
    .filter(({ lines }) => lines.length > LONGEST_FILE)
    .filter(({ lines }) =>
      !lines.slice(0, 10).join("\n").includes("longer than 300 lines because ")
    )
    .map(({ path, lines }) => `${path} has ${lines.length} lines`);
}

/** A name says what is inside; these say that nobody knew. */
export function emptyNames(sources: Source[]): string[] {
  return sources.map(({ path }) => path)
    .filter((path) => /(^|\/)(utils?|helpers?|common|types|misc|lib)(\.[a-z]+$|\/)/.test(path));
}

/** What a formatter would do for SQL, if Deno had one. */
export function untidySql(sources: Source[]): string[] {
  return sources.filter(({ path }) => path.endsWith(".sql")).flatMap(({ path, text }) => [
    ...text.split("\n").flatMap((line, index) =>
      faultsOf(line).map((fault) => `${path}:${index + 1} ${fault}`)
    ),
    ...(text.endsWith("\n") && !text.endsWith("\n\n")
      ? []
      : [`${path} must end in one line break`]),
  ]);
}

function faultsOf(line: string): string[] {
  return [
    [...line].length > LONGEST_SQL_LINE && `is ${[...line].length} columns wide`,
    line.includes("\t") && "has a tab",
    /\s$/.test(line) && "ends in a blank",
  ].filter((fault) => fault !== false);
}
