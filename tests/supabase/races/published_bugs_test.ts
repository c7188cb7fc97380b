// Bugs of other queues that were published: each let somebody write about work that was granted to
// somebody else by then. Every one is replayed here as it was reported.
import { race } from "../../support/permutations.ts";
import { singleTasks } from "./task_steps.ts";
import { thoughts } from "./thought_steps.ts";

// https://github.com/oban-bg/oban/issues/1496: settlements found their job by its id alone, so that an
// attempt that was superseded moved a completed job to retryable, scheduled, discarded or cancelled.
race("Oban 1496: the settlement of a superseded attempt changes nothing about a newer one's end", {
  world: singleTasks("x"),
  given: "a claims 1 -> x, one hour passes, b claims 1 -> x, b settles x succeeded -> settled 1",
  permutations: [
    `a settles x failed -> settled 0 lost x, a settles x released -> settled 0 lost x,
      a settles x discarded -> settled 0 lost x, a settles x succeeded -> settled 0 lost x,
      a settles all failed -> settled 0, a recalls x -> lost completed => x: completed #2`,
  ],
});

// https://github.com/riverqueue/river/issues/1302: the rescuer read which jobs were stuck, and then
// wrote by id, over whatever had been completed in between.
race("River 1302: a rescuer does not overwrite what was completed after it looked", {
  world: singleTasks("x", "y"),
  given: "a claims 1 -> x, one hour passes",
  permutations: [
    `r begins repeatable read, r looks -> 1, a settles x succeeded -> settled 1, r reaps -> error 40001, r rolls back,
      a recalls x -> completed => x: completed #1, y: pending`,
    `c begins, c cancels y -> y, r resets… -> 0, a settles x succeeded -> settled 1, c commits,
      a recalls x -> completed => x: completed #1, y: cancelled`,
  ],
});

// https://github.com/riverqueue/river/pull/1373: in between the job may also have been claimed again.
// That must stay, and the other stuck jobs of the batch be rescued all the same.
race(
  "River 1373: a rescuer leaves alone what was claimed again after it looked, and rescues the rest",
  {
    world: singleTasks("x", "y", "z"),
    given: "a claims 1 -> x, b claims 1 -> y, one hour passes, b renews -> y",
    permutations: [
      `c begins, c cancels z -> z, r resets… -> 1, a settles x released -> settled 1, d claims 1 -> x, c commits,
      d renews -> x, b renews -> none => x: d #1, y: pending #1, z: cancelled`,
      `r begins repeatable read, r looks -> 2, a settles x released -> settled 1, d claims 1 -> x,
      r reaps -> error 40001, r rolls back, d renews -> x => x: d #1, y: b #1, z: pending`,
    ],
  },
);

// https://github.com/rails/solid_queue/pull/761: a worker lost its heartbeat but not its life. When it
// came to its end it released, a second time, the lock that its replacement held by then, so that a job
// meant to run once at a time ran eleven times.
race(
  "Solid Queue 761: a worker given up for dead does not free what keeps others out when it ends",
  {
    world: singleTasks(),
    given: "c secures x, a claims 1 -> x, one hour passes, b claims 1 -> x",
    permutations: [
      `c secures y -> there is x, a settles x succeeded -> settled 0 lost x, c secures y -> there is x,
      a settles all released -> settled 0, d claims 1 -> none, b renews -> x, b settles x succeeded -> settled 1,
      a settles x succeeded -> settled 0 lost x, c secures y, c secures z -> there is y, d claims 1 -> y,
      e claims 1 -> none => x: completed #2, y: d #1`,
    ],
  },
);

// https://github.com/sidequestjs/sidequest/issues/208: recovery wrote, by id, what it had concluded from
// an old look at the job: a completed one came back to life, a newer attempt was put back. And the other
// way round: an old executor wrote over the newer execution.
race(
  "sidequest 208: recovery neither revives what ended nor disturbs a newer attempt, nor does a late end",
  {
    world: thoughts("x"),
    given: "a claims x -> x, one hour passes",
    permutations: [
      `r begins repeatable read, r reads x -> nothing, a settles x succeeded -> settled 1, r reaps -> error 40001,
      r rolls back => x: succeeded #1`,
      `r begins repeatable read, r reads x -> nothing, b claims x -> x, r reaps -> error 40001, r rolls back,
      b renews -> x => x: b #2`,
      `r begins, r reaps, a settles x succeeded… -> settled 0 lost x, r commits, b claims x -> x,
      a settles x failed -> settled 0 lost x, b settles x succeeded -> settled 1 => x: succeeded #2`,
    ],
  },
);

// https://github.com/timgit/pg-boss/issues/555: a job that had expired went on, unknowingly, while it was
// run again, and both wrote. (That handlers are aborted then is tested in worker_leases_test.ts.)
race("pg-boss 555: who runs on after the lease has expired is told so, and can do no more", {
  world: singleTasks("x"),
  given: "a claims 1 -> x, one hour passes",
  permutations: [
    `b begins, b claims 1 -> x, b mails x -> go, a renews… -> none, b commits, a mails x -> error PT409,
      a settles x succeeded -> settled 0 lost x, b settles x succeeded -> settled 1 => x: completed #2`,
  ],
});
