import type { GatesCommand } from "./commands.ts";

/** Sequences that once failed. They are tried first, for ever. */
export const ONCE_FAILED: GatesCommand[][] = [
  // A key all of whose tasks wait for one that runs had its turn again and again, and no other key got one.
  [
    {
      verb: "enqueue",
      tasks: [
        { type: "a", payload: { n: 1 }, key: "x", order_key: "o" },
        { type: "a", payload: { n: 1 }, key: "x", order_key: "o" },
        { type: "a", payload: { n: 1 }, key: "y" },
        { type: "a", payload: { n: 1 }, key: "y" },
      ],
    },
    { verb: "drain", worker: "ada", types: null, limit: 1, seconds: 60 },
  ],
  // What was retried before its time came to its gate as if it were not due yet.
  [
    { verb: "enqueue", tasks: [{ type: "a", payload: { n: 1 }, run_at: 500 }] },
    { verb: "cancel", ids: [0] },
    { verb: "retry", ids: [0] },
    { verb: "set_limit", type: "a", key: null, each_key: false, limit: 1 },
  ],
  // A key that was to be held longer, but was given up by a cancel, kept a filter from finding who had it before.
  [
    { verb: "enqueue", tasks: [{ type: "a", payload: { n: 1 }, unique_key: "k1" }] },
    { verb: "cancel", ids: [0] },
    {
      verb: "enqueue",
      tasks: [{ type: "a", payload: { n: 2 }, unique_key: "k1", unique_seconds: 1 }],
    },
    { verb: "cancel", ids: [1] },
    { verb: "retry_where", filter: { ids: [0] }, dry_run: false, limit: 1000 },
  ],
];
