import type { Found } from "./finding.ts";
import type { Need, Project } from "./project.ts";

/** One thing that may be wrong with a project. */
export interface Check {
  /** Names what it finds, and its section of `docs/operations.md`. */
  id: string;
  /** Without these it cannot be made. */
  needs: Need[];
  look(project: Project): Promise<Found> | Found;
}

/** Checks about one part of a project, under a title. */
export interface Group {
  title: string;
  checks: Check[];
}
