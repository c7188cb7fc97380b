import { type Command, InvalidArgumentError } from "commander";
import { json, names } from "./command.ts";
import { momentOf } from "./times.ts";

/** The flags of a filter, named as its fields are; see docs/bulk.md. */
export interface FilterFlags {
  type?: string[];
  status?: string[];
  key?: string;
  orderKey?: string;
  error?: string;
  payload?: unknown;
  uniqueKeyPrefix?: string;
  createdBefore?: string;
  createdAfter?: string;
  runBefore?: string;
  runAfter?: string;
}

export type Filter = Record<string, unknown>;

export function filtered(command: Command): Command {
  return command
    .option("--type <a,b>", "of these types", names)
    .option("--status <a,b>", "in these states", names)
    .option("--key <key>", "of this key")
    .option("--order-key <key>", "of this order key")
    .option("--error <pattern>", "whose last error fits a pattern of LIKE: %timeout%")
    .option("--payload <json>", 'whose payload contains an object: {"tenant": 4}', json)
    .option("--unique-key-prefix <text>", "whose unique key begins so")
    .option("--created-before <time>", "ISO 8601, or how long ago: 30m, 2h, 7d", moment)
    .option("--created-after <time>", "the same", moment)
    .option("--run-before <time>", "due before then", moment)
    .option("--run-after <time>", "due after then", moment);
}

/** The filter that the flags mean; empty when none was given. */
export function filterOf(flags: FilterFlags, ids: string[] = []): Filter {
  const fields = {
    ids: ids.length > 0 ? ids : undefined,
    types: flags.type,
    statuses: flags.status,
    key: flags.key,
    order_key: flags.orderKey,
    error: flags.error,
    payload: flags.payload,
    unique_key_prefix: flags.uniqueKeyPrefix,
    created_before: flags.createdBefore,
    created_after: flags.createdAfter,
    run_before: flags.runBefore,
    run_after: flags.runAfter,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

export function isEmpty(filter: Filter): boolean {
  return Object.keys(filter).length === 0;
}

export function moment(text: string): string {
  const found = momentOf(text);
  if (found) return found;
  throw new InvalidArgumentError(
    "Give a time as 2026-11-27T08:00:00Z, or as how long ago: 30m, 2h, 7d.",
  );
}
