import type { TaskCommand } from "./commands.ts";

/** Sequences that once failed, as they were printed. They are tried first, for ever. */
export const ONCE_FAILED: TaskCommand[][] = [
  // What went back together was found by a sweep; the next claim then passed over the rest of it.
  [
    {
      verb: "enqueue",
      tasks: [
        { type: "a", priority: 0, run_at: null, max_attempts: 1, unique_key: "k1", copies: 1 },
      ],
      request: null,
    },
    {
      verb: "enqueue",
      tasks: [
        { type: "a", priority: 0, run_at: 500, max_attempts: 1, unique_key: null, copies: 1 },
      ],
      request: null,
    },
    {
      verb: "settle_and_claim",
      fence: 0,
      outcomes: [],
      rest: null,
      worker: "ada",
      types: null,
      limit: 1,
      seconds: 60,
      request: "r1",
    },
    {
      verb: "enqueue",
      tasks: [
        { type: "a", priority: 0, run_at: null, max_attempts: 1, unique_key: null, copies: 1 },
      ],
      request: null,
    },
    { verb: "pass", ms: 1000 },
    {
      verb: "claim",
      worker: "ada",
      types: null,
      limit: 20,
      seconds: 1,
      request: null,
    },
    { verb: "settle", fence: 0, outcomes: [], rest: "released", request: null },
    { verb: "pass_until", nth: 0, ms: -1 },
    {
      verb: "settle_and_claim",
      fence: 0,
      outcomes: [],
      rest: null,
      worker: "ada",
      types: null,
      limit: 1,
      seconds: 1,
      request: null,
    },
    { verb: "update", where: { id: 0 }, set: { status: "pending", started_at: null } },
    { verb: "claim", worker: "ada", types: null, limit: 1, seconds: 1, request: "r3" },
  ],
  // Of two named types the one with the older task went second: that task had gone back to its place.
  [
    {
      verb: "enqueue",
      tasks: [
        { type: "b", priority: 0, run_at: null, max_attempts: 2, unique_key: "k1", copies: 1 },
      ],
      request: null,
    },
    {
      verb: "enqueue",
      tasks: [
        { type: "a", priority: -1, run_at: null, max_attempts: 1, unique_key: null, copies: 2 },
      ],
      request: null,
    },
    {
      verb: "enqueue",
      tasks: [
        { type: "a", priority: 0, run_at: null, max_attempts: 1, unique_key: null, copies: 3 },
      ],
      request: null,
    },
    { verb: "claim", worker: "ada", types: ["a", "b"], limit: 5, seconds: 1, request: null },
    {
      verb: "settle_and_claim",
      fence: 0,
      outcomes: [],
      rest: "failed",
      worker: "ada",
      types: null,
      limit: 1,
      seconds: 1,
      request: "r1",
    },
    { verb: "pass_until", nth: 0, ms: -1 },
    { verb: "renew", fence: 0, seconds: 1, progress: { id: 0, value: 0 } },
    { verb: "claim", worker: "ada", types: ["a", "b"], limit: 1, seconds: 1, request: null },
    { verb: "settle", fence: 0, outcomes: [], rest: "released", request: null },
    {
      verb: "enqueue",
      tasks: [
        { type: "b", priority: 0, run_at: null, max_attempts: 1, unique_key: null, copies: 1 },
      ],
      request: null,
    },
    { verb: "pass_until", nth: 0, ms: -1 },
    { verb: "pass", ms: 999 },
    {
      verb: "settle_and_claim",
      fence: 0,
      outcomes: [],
      rest: null,
      worker: "ada",
      types: ["a", "b"],
      limit: 1,
      seconds: 1,
      request: null,
    },
  ],
  // What was retried before its time and then taken with a suspect went back to now: the model did not know.
  [
    {
      verb: "enqueue",
      tasks: [
        { type: "a", priority: 0, run_at: null, max_attempts: 1, unique_key: null, copies: 1 },
      ],
      request: null,
    },
    { verb: "claim", worker: "ada", types: null, limit: 1, seconds: 1, request: null },
    { verb: "pass", ms: 1500 },
    { verb: "reap" },
    { verb: "pass", ms: 1500 },
    { verb: "claim", worker: "ada", types: null, limit: 1, seconds: 1, request: null },
    { verb: "pass", ms: 1500 },
    { verb: "reap" },
    { verb: "pass", ms: 1500 },
    {
      verb: "enqueue",
      tasks: [
        { type: "a", priority: 0, run_at: 10_000, max_attempts: 1, unique_key: null, copies: 1 },
      ],
      request: null,
    },
    { verb: "cancel", ids: [1] },
    { verb: "retry", ids: [1] },
    { verb: "claim", worker: "ada", types: null, limit: 20, seconds: 1, request: null },
  ],
];
