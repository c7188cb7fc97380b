import type { Sql } from "postgres";
import type { Stack } from "../stack/stack.ts";
import type { Proxy } from "./proxy.ts";
import type { Random } from "./random.ts";
import type { Workers } from "./workers.ts";

/** What a fault may lay hands on. */
export interface Victims {
  stack: Stack;
  workers: Workers;
  /** Between the workers and the stack. */
  proxy: Proxy;
  /** Apart from every connection of the API. */
  sql: Sql;
  leaseSeconds: number;
}

/** Something that goes wrong. */
export interface Fault {
  name: string;
  /** How often it comes, beside the others. */
  weight: number;
  /** Resolves once everything is mended that mends by itself. */
  inject(victims: Victims, random: Random): Promise<void>;
}
