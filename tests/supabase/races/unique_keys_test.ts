// Unique keys in each of their modes, against other enqueues, claims, settlements and cancels.
// On PostgreSQL 15, too.
import { race } from "../../support/permutations.ts";
import { singleTasks } from "./task_steps.ts";

race("two who enqueue one key", {
  world: singleTasks(),
  permutations: [
    "c begins, c secures x, d secures y reject… -> error PT409, c commits => x: pending",
    "c begins, c secures x, d secures y replace… -> replaced x, c commits => x: pending",
    "c begins, c secures x, d secures y debounce… -> replaced x, c commits => x: pending",
    "c begins, c secures x, d secures y pending… -> there is x, c commits => x: pending",
    "c begins, c secures x, d secures y minute… -> there is x, c commits => x: pending",
    "c begins, c secures x replace, d secures y replace…, c rolls back => x: gone, y: pending",
  ],
});

race("two who find one key taken", {
  world: singleTasks(),
  given: "c secures x",
  permutations: [
    `c begins, c secures y replace -> replaced x, d secures z replace… -> replaced x, c commits
      => x: pending`,
    `c begins, c secures y debounce -> replaced x, d secures z replace… -> replaced x, c rolls back
      => x: pending`,
    `c begins, c secures y replace -> replaced x, d secures z -> there is x, c commits
      => x: pending`,
    `c begins, c secures y replace -> replaced x, d secures z reject -> error PT409, c commits
      => x: pending`,
    `c begins, c secures y replace -> replaced x, d secures z pending -> there is x, c commits
      => x: pending`,
    `a claims 1 -> x, c begins, c secures y pending, d secures z pending… -> there is y, c commits
      => x: a #1, y: pending`,
    `a claims 1 -> x, c begins, c secures y pending, d secures z pending…, c rolls back
      => x: a #1, y: gone, z: pending`,
    `a claims 1 -> x, c begins, c secures y pending, d secures z debounce pending… -> replaced y, c commits
      => x: a #1, y: pending`,
    `a claims 1 -> x, c begins, c secures y pending, d secures z… -> there is y, c commits
      => x: a #1, y: pending`,
  ],
});

race("a key and claims", {
  world: singleTasks(),
  given: "c secures x",
  permutations: [
    "a begins, a claims 1 -> x, c secures y reject -> error PT409, a commits => x: a #1",
    "a begins, a claims 1 -> x, c secures y replace… -> there is x, a commits => x: a #1",
    "a begins, a claims 1 -> x, c secures y debounce… -> there is x, a commits => x: a #1",
    "a begins, a claims 1 -> x, c secures y replace… -> replaced x, a rolls back => x: pending",
    "a begins, a claims 1 -> x, c secures y pending -> there is x, a commits => x: a #1",
    "a begins, a claims 1 -> x, c secures y debounce pending…, a commits => x: a #1, y: pending",
    "a begins, a claims 1 -> x, c secures y minute -> there is x, a commits => x: a #1",
    `c begins, c secures y replace -> replaced x, a claims 1 -> none, c commits, a claims 1 -> x
      => x: a #1`,
    `c begins, c secures y debounce -> replaced x, a claims 1 -> none, c rolls back, a claims 1 -> x
      => x: a #1`,
    "c begins, c secures y pending -> there is x, a claims 1 -> x, c commits => x: a #1",
    `a begins repeatable read, a looks -> 0, c secures y replace -> replaced x, a claims 1 -> error 40001, a rolls back, a claims 1 -> x
      => x: a #1`,
  ],
});

race("a key and settlements", {
  world: singleTasks(),
  given: "c secures x, a claims 1 -> x",
  permutations: [
    `a begins, a settles x succeeded -> settled 1, c secures y reject…, a commits
      => x: completed #1, y: pending`,
    `a begins, a settles x succeeded -> settled 1, c secures y replace…, a commits, c secures z replace -> replaced y
      => x: completed #1, y: pending`,
    `a begins, a settles x succeeded -> settled 1, c secures y debounce… -> there is x, a rolls back
      => x: a #1`,
    `a begins, a settles x succeeded -> settled 1, c secures y pending…, a commits
      => x: completed #1, y: pending`,
    `a begins, a settles x succeeded -> settled 1, c secures y pending…, a rolls back
      => x: a #1, y: pending`,
    `a begins, a settles x released -> settled 1, c secures y pending, a commits
      => x: pending, y: pending`,
    `c begins, c secures y pending, a settles x succeeded -> settled 1, c commits, d secures z -> there is y
      => x: completed #1, y: pending`,
    `c begins, c secures y pending, a settles x released -> settled 1, c commits, b claims 2 -> x y, d secures z -> there is y
      => x: b #1, y: b #1`,
    `c begins, c secures y debounce pending, a settles x failed -> settled 1, c commits, d secures z debounce pending -> replaced y
      => x: pending #1, y: pending`,
    `c begins, c secures y replace -> there is x, a settles x succeeded -> settled 1, c commits, c secures z replace
      => x: completed #1, z: pending`,
  ],
});

race("a key that is held longer, and what ends its task", {
  world: singleTasks(),
  given: "c secures x minute, a claims 1 -> x",
  permutations: [
    `a settles x succeeded -> settled 1, c secures y -> there is x, c secures z replace -> there is x, d secures z reject -> error PT409
      => x: completed #1`,
    `a settles x discarded -> settled 1, c secures y -> there is x, one hour passes, c secures z
      => x: failed #1, z: pending`,
    "d cancels x -> x, c secures y => x: cancelled, y: pending",
    `a settles x succeeded -> settled 1, one hour passes, c begins, c secures y minute, d secures z… -> there is y, c commits
      => x: completed #1, y: pending`,
    `a settles x succeeded -> settled 1, one hour passes, c begins, c secures y, d prunes -> 1, c commits
      => x: gone, y: pending`,
    `a settles x succeeded -> settled 1, one hour passes, d begins, d prunes -> 1, c secures y…, d commits
      => x: gone, y: pending`,
    `a settles x discarded -> settled 1, one hour passes, d begins, d retries x -> x, c secures y… -> there is x, d commits
      => x: pending`,
    `a settles x discarded -> settled 1, one hour passes, c begins, c secures y, d retries x… -> none, c commits
      => x: failed #1, y: pending`,
    `a settles x discarded -> settled 1, d retries x -> x, b claims 1 -> x, b settles x succeeded -> settled 1, c secures y -> there is x
      => x: completed #1`,
  ],
});

race("a key and cancels", {
  world: singleTasks(),
  given: "c secures x",
  permutations: [
    "d begins, d cancels x -> x, c secures y replace…, d commits => x: cancelled, y: pending",
    `d begins, d cancels x -> x, c secures y debounce pending… -> replaced x, d rolls back
      => x: pending`,
    "d begins, d cancels x -> x, c secures y pending…, d commits => x: cancelled, y: pending",
    "d begins, d cancels x -> x, c secures y reject…, d commits => x: cancelled, y: pending",
    "c begins, c secures y replace -> replaced x, d cancels x… -> x, c commits => x: cancelled",
    "c begins, c secures y debounce -> replaced x, d deletes x… -> 1, c commits => x: gone",
    `c begins, c secures y debounce -> replaced x, d marks x completed… -> 1, c commits
      => x: completed #1`,
    `a claims 1 -> x, c begins, c secures y pending, d cancels x… -> x, c commits, c secures z -> there is y
      => x: cancelled, y: pending`,
  ],
});
