import type { Stack } from "../stack/stack.ts";
import type { Weather } from "./proxy.ts";
import type { Random } from "./random.ts";
import type { Workers } from "./workers.ts";

/** What a fault may lay hands on. */
export interface Victims {
  stack: Stack;
  workers: Workers;
  /** Between the workers and everything they talk to. */
  weather: Weather;
  /** Where the migrations are. */
  projectDir: string;
  leaseSeconds: number;
}

/** Something that goes wrong. */
export interface Fault {
  name: string;
  /** How often it comes: of each hundred faults so many. */
  percent: number;
  /** Resolves once everything is mended that mends by itself. */
  inject(victims: Victims, random: Random): Promise<void>;
}
