import { dirname, join, normalize } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";

/** A fenced block. */
export interface Block {
  file: string;
  line: number;
  language: string;
  text: string;
  /** Why the tests do not run it, from a comment `<!-- not run: … -->` above it. */
  notRun: string | null;
}

export interface Link {
  file: string;
  line: number;
  target: string;
}

/** The documents of the repository: README.md and docs/*.md, as paths from its root. */
export async function documents(): Promise<string[]> {
  const files = ["README.md"];
  for await (const { name } of Deno.readDir(join(PROJECT_DIR, "docs"))) {
    if (name.endsWith(".md")) files.push(`docs/${name}`);
  }
  return files.sort();
}

export function readDocument(file: string): Promise<string> {
  return Deno.readTextFile(join(PROJECT_DIR, file));
}

export function blocksOf(file: string, text: string): Block[] {
  const blocks: Block[] = [];
  let open: Block | null = null;
  const lines = text.split("\n");
  lines.forEach((line, index) => {
    if (!line.startsWith("```")) {
      if (open) open.text += line + "\n";
    } else if (open) {
      blocks.push(open);
      open = null;
    } else {
      const above = lines.slice(0, index).findLast((line) => line !== "") ?? "";
      const notRun = above.match(/^<!-- not run: (.+) -->$/)?.[1] ?? null;
      open = { file, line: index + 1, language: line.slice(3).trim(), text: "", notRun };
    }
  });
  if (open) throw new Error(`${file}: the last block is not closed`);
  return blocks;
}

/** Links to files and anchors of the repository, outside of code. */
export function linksOf(file: string, text: string): Link[] {
  return prose(text).flatMap((line, index) =>
    [...line.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => ({ file, line: index + 1, target }))
      .filter(({ target }) => !/^https?:/.test(target))
  );
}

/** What a link points to: a path from the root of the repository, and an anchor in it or "". */
export function resolveLink({ file, target }: Link): { path: string; anchor: string } {
  const [path, anchor = ""] = target.split("#");
  return { path: path ? normalize(join(dirname(file), path)) : file, anchor };
}

/** The anchors GitHub gives to headings. */
export function anchorsOf(text: string): string[] {
  return prose(text).filter((line) => /^#+ /.test(line)).map((line) =>
    line.replace(/^#+ /, "").toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-")
  );
}

/** The lines, those inside of code blocks emptied. */
function prose(text: string): string[] {
  let inside = false;
  return text.split("\n").map((line) => {
    const fence = line.startsWith("```");
    if (fence) inside = !inside;
    return fence || inside ? "" : line;
  });
}
