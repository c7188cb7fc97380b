import { type Command, InvalidArgumentError, Option } from "commander";
import { resolve } from "node:path";
import { EXIT_HELP } from "./exit_codes.ts";
import { type Format, say } from "./output.ts";
import { DEFAULT_STATE, findProject, type Project, type Where } from "./project.ts";

/** What every command that talks to a project can be given. */
export type Options = Where & Format;

const WHERE_HELP = `
Without --url or SUPABASE_URL it talks to the stack that \`npm start\` runs.
The key of any other project is read from SUPABASE_SECRET_KEY.`;

/** A command that talks to a project and answers with a table, or with JSON. */
export function command(parent: Command, usage: string, description: string, examples: string[]) {
  return connecting(parent, usage, description, examples)
    .addOption(new Option("--json", "one JSON document instead of a table").conflicts("ndjson"))
    .option("--ndjson", "a line of JSON for each row");
}

/** A command that talks to a project and prints something of its own. */
export function connecting(
  parent: Command,
  usage: string,
  description: string,
  examples: string[],
): Command {
  return explained(parent.command(usage).description(description), examples, WHERE_HELP)
    .option("--url <url>", "the project (default: SUPABASE_URL, else the local stack)")
    .option(
      "--state <folder>",
      "where the local stack keeps its data",
      (folder) => resolve(folder),
      DEFAULT_STATE,
    );
}

export function explained(made: Command, examples: string[], more = ""): Command {
  return made.addHelpText(
    "after",
    `${more}\n\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}\n\n${EXIT_HELP}`,
  );
}

/** The project that is meant. People are told which one that is; programs know. */
export async function connect(options: Options): Promise<Project> {
  const project = await findProject(options);
  if (!options.json && !options.ndjson) say(`Talking to ${project.name}`);
  return project;
}

/** An option that asks no questions, for what cannot be taken back. */
export function dangerous(made: Command): Command {
  return made.option("-y, --yes", "do not ask");
}

export function wholeNumberTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from 1 to ${most}.`);
  };
}

export function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("Give it as JSON.");
  }
}

export function uuid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text;
  throw new InvalidArgumentError("Give the id of a task, as `dibs tasks list` shows it.");
}

/** All ids of a command line; commander calls this for each of them. */
export function uuids(text: string, before: string[] = []): string[] {
  return [...before, uuid(text)];
}

export function names(text: string): string[] {
  return text.split(",").map((name) => name.trim()).filter(Boolean);
}
