import type { z } from "zod";

/** One thing that is wrong with a value: where, and what. Never the value itself. */
export interface Issue {
  path: string;
  message: string;
}

const MOST = 50;

/** What a schema has against a value, flattened: unknown fields one by one, unions by their nearest branch. */
export function issuesOf(error: z.ZodError): Issue[] {
  return error.issues.flatMap((issue) => flatten(issue, [])).slice(0, MOST);
}

type ZodIssue = z.core.$ZodIssue;

function flatten(issue: ZodIssue, above: PropertyKey[]): Issue[] {
  const path = [...above, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: pathText([...path, key]), message: "unknown field" }));
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    return nearest(issue.errors).flatMap((inner) => flatten(inner, path));
  }
  return [{ path: pathText(path), message: issue.message }];
}

/** Of the kinds a body could be, the one with the fewest objections is what its sender meant. */
function nearest(branches: ZodIssue[][]): ZodIssue[] {
  return branches.reduce((best, branch) => objections(branch) < objections(best) ? branch : best);
}

function objections(issues: ZodIssue[]): number {
  return issues.reduce((sum, i) => sum + (i.code === "unrecognized_keys" ? i.keys.length : 1), 0);
}

/** `tasks[3].payload`; what a sender made up is shown only when it looks like a name. */
function pathText(path: PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    const name = /^[\w-]{1,64}$/.test(String(part)) ? String(part) : "?";
    return text ? `${text}.${name}` : name;
  }, "");
}
