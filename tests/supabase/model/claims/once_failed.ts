import type { ClaimCommand } from "./commands.ts";

/** Sequences that once failed, as they were printed. They are tried first, for ever. */
export const ONCE_FAILED: ClaimCommand[][] = [
  // The one thought that a claim took from the pool had been claimed by a client itself.
  [
    {
      verb: "settle_and_claim",
      fence: 0,
      outcomes: [],
      rest: null,
      work: "embedding",
      worker: "ada",
      seconds: 1,
      max_attempts: 1,
      request: "r1",
      limit: 1,
    },
    { verb: "insert_claim", id: 0, work: "embedding", worker: "ada", seconds: 1 },
    {
      verb: "claim_next",
      work: "embedding",
      worker: "ada",
      seconds: 1,
      max_attempts: 1,
      request: null,
      limit: 1,
    },
  ],
  // A thought that stood in the pool twice counted as two.
  [
    {
      verb: "settle_and_claim",
      fence: 0,
      outcomes: [],
      rest: null,
      work: "embedding",
      worker: "ada",
      seconds: 1,
      max_attempts: 1,
      request: null,
      limit: 1,
    },
    { verb: "claim", work: "embedding", worker: "ada", seconds: 1, ids: [0] },
    { verb: "pass", ms: 60_000 },
    {
      verb: "claim_next",
      work: "embedding",
      worker: "ada",
      seconds: 60,
      max_attempts: 1,
      request: "r1",
      limit: 3,
    },
  ],
  // The claim of a client that does not count attempts made the next ones begin anew.
  [
    { verb: "claim", work: "embedding", worker: "ada", seconds: 1, ids: [0] },
    { verb: "pass", ms: 1000 },
    { verb: "reap", work: null },
    { verb: "insert_claim", id: 0, work: "embedding", worker: "ada", seconds: 1 },
    { verb: "pass", ms: 1000 },
    {
      verb: "claim_named",
      work: "embedding",
      worker: "ada",
      seconds: 1,
      max_attempts: 1,
      request: null,
      ids: [0],
    },
  ],
];
