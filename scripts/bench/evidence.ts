import { join } from "node:path";
import { PROJECT_DIR } from "../stack/migrate.ts";
import type { Goal } from "./goals.ts";
import type { Result } from "./measure.ts";
import type { Line } from "./summary.ts";

/** What is kept of a run of the bench. */
export interface Evidence {
  command: string;
  made_at: string;
  commit: string;
  repeats: number;
  machine: {
    cores: number;
    cpu: string;
    memory_gib: number;
    fsync_microseconds: number;
    load_before: number;
  };
  versions: { postgres: string };
  goals: Goal[];
  summary: Line[];
  results: Result[];
}

/** Reads what is kept in a file, by its path from the root of the repository. */
export async function readEvidence(file: string): Promise<Evidence> {
  return JSON.parse(await Deno.readTextFile(join(PROJECT_DIR, file)));
}

/** How to measure the like: the command, without what is of one machine. */
export function commandOf({ command }: Pick<Evidence, "command">): string {
  return command.replaceAll(/ --(postgres|out) \S+/g, "");
}
