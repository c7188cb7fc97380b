import { fileURLToPath } from "node:url";
import type { Sql } from "postgres";

/** Whose privileges are told, in the order of the columns. */
export const ROLES = [
  "public",
  "anon",
  "authenticated",
  "authenticator",
  "service_role",
  "postgres",
] as const;

/** What grants.txt says: a line an object, its cells parted by two blanks. */
export const WANTED = (await read("../supabase/grants.txt")).split("\n")
  .filter((line) => !/^(#|object |$)/.test(line))
  .map((line) => line.split(/ {2,}/).join("  "))
  .sort();

const QUERY = await read("grants.sql");

/**
 * What each role may do with each object in the schemas of Dibs and of the extensions it uses, as
 * {@link WANTED} has it: an object that no line of there names and that is like the others of its
 * kind is one line with them.
 */
export async function grantsOf(sql: Sql): Promise<string[]> {
  const rows = await sql.unsafe<{ cells: string[] }[]>(QUERY);
  const lines = rows.map(({ cells }) => cells.join("  "));
  return [...new Set(lines.map((line) => findShared(line) ?? line))].sort();
}

/** What the table says that a role may do with an object, such as `table dibs.log`. */
export function wantedOf(object: string, role: typeof ROLES[number]): string[] {
  const line = WANTED.find((line) => line.startsWith(`${object}  `)) ??
    WANTED.find((line) => line.startsWith(`${sharedName(object)}  `));
  if (!line) throw new Error(`grants.txt has no line for ${object}`);
  const privileges = line.split("  ")[2 + ROLES.indexOf(role)].split(" ");
  const all = object.startsWith("sequence ") && privileges[0] === "all";
  return all ? ["usage", "select", "update"] : privileges;
}

function findShared(line: string): string | undefined {
  const [object, ...cells] = line.split("  ");
  const shared = [sharedName(object), ...cells].join("  ");
  return WANTED.includes(shared) ? shared : undefined;
}

/** `function dibs.*` for `function dibs.clock`. */
function sharedName(object: string): string {
  return object.replace(/\.\S+$/, ".*");
}

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(fileURLToPath(new URL(path, import.meta.url)));
}
