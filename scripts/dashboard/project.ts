import { remoteRpc, type Rpc } from "../../functions/_shared/rpc.ts";
import type { Inputs } from "../doctor/inputs.ts";

/** The project a dashboard is of. What it takes to reach it stays in this process. */
export interface Project {
  url: string;
  secretKey: string;
  /** For the doctor, who sees more with it. */
  databaseUrl?: string;
}

/** A project that reads and actions ask. */
export interface Reached {
  url: string;
  rpc: Rpc;
  /** What the doctor is told. */
  inputs: Inputs;
}

export function reach(project: Project): Reached {
  return {
    url: project.url,
    // A little more than the 8 s the data API gives a statement: a page asks again by itself.
    rpc: remoteRpc(project.url, project.secretKey, { timeoutMs: 10_000 }),
    inputs: project,
  };
}
