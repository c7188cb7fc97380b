/** The file that says which functions a project has. */
export const CONFIG = "supabase/config.toml";

/** Function → what config.toml says of it. */
export type FunctionSettings = Record<string, Record<string, unknown>>;

const BEGIN = "# >>> Dibs: each upgrade writes this part anew >>>";
const END = "# <<< Dibs <<<";

/** The part of a project's config.toml that has Dibs's functions. */
export function blockOf(functions: FunctionSettings): string {
  const tables = Object.entries(functions).map(([name, settings]) => {
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${literal(value)}\n`);
    return `[functions.${name}]\n${lines.join("")}`;
  });
  return `${BEGIN}\n${tables.join("\n")}${END}\n`;
}

/** Paths are from supabase/, where Dibs has a folder instead of the folder above. */
function literal(value: unknown): string {
  return JSON.stringify(typeof value === "string" ? value.replace(/^\.\.\//, "./dibs/") : value);
}

/** The block as it stands in a config.toml; null where there is none. */
export function findBlock(config: string): string | null {
  return config.match(new RegExp(`^${BEGIN}\\r?\\n[^]*?^${END}(\\r?\\n|$)`, "m"))?.[0] ?? null;
}

/** Sets the block apart from what is there by so many line breaks. */
export function appendBlock(config: string, block: string): { config: string; breaks: number } {
  const breaks = config === "" || config.endsWith("\n") ? 1 : 2;
  return { config: config + "\n".repeat(breaks) + block, breaks };
}

/** What is left without the block and the line breaks that set it apart. */
export function cutBlock(config: string, block: string, breaks: number): string {
  const [before, after] = split(config, block);
  return before.replace(new RegExp(`(\\r?\\n){${breaks}}$`), "") + after;
}

/** The block in the place of another one. */
export function replaceBlock(config: string, block: string, by: string): string {
  return split(config, block).join(by);
}

function split(config: string, block: string): [string, string] {
  const at = config.indexOf(block);
  return [config.slice(0, at), config.slice(at + block.length)];
}
