import type { Check, Group } from "./check.ts";
import { GROUPS } from "./checks.ts";
import { type Finding, info, warning } from "./finding.ts";
import type { Inputs } from "./inputs.ts";
import { Project } from "./project.ts";

/** What was found in one group of checks. */
export interface Examined {
  title: string;
  findings: Finding[];
}

/** Looks at a project, changing nothing. Every check says something, also one that cannot be made. */
export async function examine(inputs: Inputs, groups: Group[] = GROUPS): Promise<Examined[]> {
  await using project = new Project(inputs);
  const examined: Examined[] = [];
  for (const { title, checks } of groups) {
    const findings: Finding[] = [];
    for (const check of checks) findings.push(await make(check, project));
    examined.push({ title, findings });
  }
  return examined;
}

async function make({ id, needs, look }: Check, project: Project): Promise<Finding> {
  const reason = await project.missing(needs);
  if (reason) return { id, ...info(`Not looked at: ${reason}.`) };
  try {
    return { id, ...await look(project) };
  } catch (error) {
    const says = `Could not be looked at: ${(error as Error).message}.`;
    return {
      id,
      ...warning(says, { by_hand: "Look once more, with the database as role postgres." }),
    };
  }
}
