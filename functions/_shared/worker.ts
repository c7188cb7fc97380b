import { type Clock, systemClock } from "./clock.ts";
import { ApiError } from "./errors.ts";
import type { Log } from "./log.ts";
import { backoff } from "./retry.ts";
import type { Summary } from "./schemas.ts";
import { Bell } from "./worker/bell.ts";
import { type Cut, Execution } from "./worker/execution.ts";
import { Lease } from "./worker/lease.ts";
import { ABORT_GRACE_MS, FLUSH_MS, Leases } from "./worker/leases.ts";
import { Pace } from "./worker/pace.ts";
import type { Grant, Item, Outcome, Work } from "./worker/work.ts";

export interface WorkerOptions {
  /** Handlers running at once. */
  concurrency: number;
  /** The most it claims in one call. */
  batch: number;
  leaseSeconds: number;
  log: Log;
  /** Return when there is nothing left, instead of asking again for ever. */
  untilEmpty?: boolean;
  /** With `untilEmpty`: ask on for so long after nothing was found, if that is before the deadline; 0. */
  lingerMs?: number;
  /** Aborted: stop gracefully. The reason may be a {@link Stop}. */
  signal?: AbortSignal;
  /** Stop by itself at this moment of the clock. */
  deadline?: number;
  /** How long handlers may go on after a stop, before they are aborted; 30 s. */
  graceMs?: number;
  clock?: Clock;
}

/** Why to stop, for `signal`. `stopped`: what is cut off is handed back; `out_of_budget`: it fails. */
export class Stop {
  constructor(
    readonly reason: string,
    readonly cut: "stopped" | "out_of_budget",
    readonly graceMs: number,
  ) {}
}

/** After the last handler, this long for the last settlements. */
const LAST_WORDS_MS = 10_000;
const POLL = { base: 250, cap: 5_000 };

/** Claims, runs, settles, repeats; returns what became of everything it claimed. */
export function runWorker<I extends Item>(work: Work<I>, options: WorkerOptions): Promise<Summary> {
  return new Worker(work, options).run();
}

/**
 * One loop, one pass at a time: each pass looks at the clock, does what is due, and sleeps until the
 * next thing is due or something happened. All times are looked at here, none has a timer of its own.
 */
class Worker<I extends Item> {
  readonly #clock: Clock;
  readonly #bell: Bell;
  readonly #pace: Pace;
  readonly #leases: Leases<I>;
  readonly #executions = new Set<Execution<I>>();
  readonly #end = new AbortController();
  #claimed = 0;
  #batches = 0;
  /** A claim is on its way. */
  #taking = false;
  /** Since when claims have found nothing. */
  #emptySince = Infinity;
  /** They have for long enough to return. */
  #dry = false;
  /** Claims in a row that brought nothing, and when to try the next. */
  #fruitless = 0;
  #pollAt = -Infinity;
  #stop: { reason: string; cut: Cut; cutAt: number; endAt: number } | null = null;
  #failure: unknown = null;

  constructor(private readonly work: Work<I>, private readonly options: WorkerOptions) {
    const { concurrency, batch, leaseSeconds, log, clock = systemClock } = options;
    const leaseMs = leaseSeconds * 1000;
    this.#clock = clock;
    this.#bell = new Bell(clock);
    this.#pace = new Pace({ concurrency, batch, leaseMs });
    this.#leases = new Leases({ source: work.source, leaseMs, clock, bell: this.#bell, log });
  }

  async run(): Promise<Summary> {
    const started = this.#clock.now();
    const ring = () => this.#bell.ring();
    this.options.signal?.addEventListener("abort", ring);
    while (!this.#isDone()) {
      const now = this.#clock.now();
      this.#watchStop(now);
      this.#leases.watch(now);
      for (const execution of this.#executions) this.#watchExecution(execution, now);
      this.#start(now);
      this.#take(now);
      this.#leases.settleDue(now, this.#stop !== null);
      if (!this.#isDone()) await this.#bell.wait(this.#nextDue(now) - now);
    }
    this.options.signal?.removeEventListener("abort", ring);
    if (this.#failure) throw this.#failure;
    return this.#summary(this.#clock.now() - started);
  }

  #isDone(): boolean {
    const idle = this.#leases.isEmpty && this.#executions.size === 0 && !this.#taking;
    return idle && (this.#stop !== null || Boolean(this.options.untilEmpty) && this.#dry);
  }

  #nextDue(now: number): number {
    const own = this.#stop
      ? [this.#stop.cutAt, this.#stop.endAt]
      : [this.options.deadline ?? Infinity, this.#pollAt];
    return Math.min(
      ...own.filter((due) => due > now),
      this.#leases.nextDue,
      ...[...this.#executions].map(({ abortAt, giveUpAt }) => Math.min(abortAt, giveUpAt)),
    );
  }

  // Stopping ---------------------------------------------------------------------------------------

  #watchStop(now: number): void {
    const stop = this.#stop;
    if (!stop) {
      const reason = this.#reasonToStop(now);
      if (reason) this.#beginStop(reason, now);
    } else if (now >= stop.endAt) {
      this.#end.abort();
      for (const lease of this.#leases) this.#leases.lose(lease);
    } else if (now >= stop.cutAt) {
      for (const execution of this.#executions) execution.abort(stop.cut, now + ABORT_GRACE_MS);
    }
  }

  #reasonToStop(now: number): Stop | null {
    const { signal, deadline = Infinity, graceMs = 30_000 } = this.options;
    if (this.#failure) return new Stop("failed", "stopped", graceMs);
    if (signal?.aborted) {
      return signal.reason instanceof Stop
        ? signal.reason
        : new Stop("stopped", "stopped", graceMs);
    }
    return now >= deadline ? new Stop("deadline", "out_of_budget", graceMs) : null;
  }

  #beginStop({ reason, cut, graceMs }: Stop, now: number): void {
    const cutAt = this.#executions.size > 0 ? now + graceMs : now;
    this.#stop = { reason, cut, cutAt, endAt: cutAt + ABORT_GRACE_MS + LAST_WORDS_MS };
    for (const lease of this.#leases) lease.handBack(now);
  }

  // Taking -----------------------------------------------------------------------------------------

  #take(now: number): void {
    if (this.#taking || this.#stop) return;
    const finished = this.#leases.finished;
    if (now < this.#pollAt && !finished) return;
    const limit = this.#pace.room({
      waiting: this.#leases.waiting,
      running: this.#executions.size,
      remainingMs: (this.options.deadline ?? Infinity) - now,
    });
    if (limit > 0) void this.#claim(limit, now, finished);
  }

  async #claim(limit: number, asked: number, finished?: Lease<I>): Promise<void> {
    this.#taking = true;
    try {
      const grant = finished
        ? await this.#leases.settleAndClaim(finished, limit)
        : await this.#leases.call(
          "claim",
          this.#end.signal,
          (call) => this.work.source.claim(limit, call),
        );
      if (grant !== undefined) this.#granted(grant, asked);
    } catch (error) {
      this.#claimFailed(ApiError.from(error));
    } finally {
      this.#taking = false;
      this.#bell.ring();
    }
  }

  #granted(grant: Grant<I> | null, asked: number): void {
    if (grant === null) return this.#foundNothing(asked);
    this.#dry = false;
    this.#emptySince = Infinity;
    this.#fruitless = 0;
    this.#pollAt = -Infinity;
    const lease = new Lease(grant, asked);
    this.#leases.add(lease);
    this.#claimed += grant.items.length;
    this.#batches++;
    if (this.#stop) lease.handBack(this.#clock.now());
  }

  #foundNothing(asked: number): void {
    const { untilEmpty, lingerMs = 0, deadline = Infinity } = this.options;
    if (!untilEmpty) return this.#waitBeforeNextClaim();
    this.#emptySince = Math.min(this.#emptySince, asked);
    const end = this.#emptySince + lingerMs;
    this.#dry = asked >= end || end >= deadline;
    if (this.#dry) this.#pollAt = Infinity;
    else this.#waitBeforeNextClaim(Math.min(this.#untilNextPoll(), end - this.#clock.now()));
  }

  #claimFailed(error: ApiError): void {
    this.options.log.error("claim_failed", { code: error.code });
    this.#waitBeforeNextClaim();
    if (!error.retryable) this.#failure = error;
  }

  #waitBeforeNextClaim(ms = this.#untilNextPoll()): void {
    this.#pollAt = this.#clock.now() + ms;
  }

  #untilNextPoll(): number {
    return backoff(++this.#fruitless, POLL, this.#clock);
  }

  // Running ----------------------------------------------------------------------------------------

  #start(now: number): void {
    for (const lease of this.#leases) {
      while (lease.waiting.length > 0 && this.#executions.size < this.options.concurrency) {
        this.#execute(lease, lease.waiting.shift()!, now);
      }
    }
  }

  #execute(lease: Lease<I>, item: I, now: number): void {
    const execution = new Execution(item, lease, now, this.work.timeoutMs(item));
    this.#executions.add(execution);
    lease.running.set(item.id, execution);
    const context = {
      fence: lease.fence,
      signal: execution.signal,
      progress: (value: unknown) => {
        lease.noteProgress(item.id, value, this.#clock.now());
        this.#bell.ring();
      },
      commit: <T>(call: () => Promise<T>) => this.#leases.commit(execution, call),
    };
    // Begun in a promise, so that a handler that throws at once is caught like any other.
    Promise.resolve().then(() => this.work.run(item, context)).then(
      (finding) => this.#finish(execution, execution.succeeded(finding)),
      (thrown) => this.#finish(execution, execution.failed(thrown)),
    );
  }

  #watchExecution(execution: Execution<I>, now: number): void {
    if (now >= execution.abortAt) execution.abort("timed_out", now + ABORT_GRACE_MS);
    else if (now >= execution.giveUpAt) this.#finish(execution, execution.failed());
  }

  #finish(execution: Execution<I>, outcome: Outcome): void {
    // Given up before: whatever it says now comes too late.
    if (!this.#executions.delete(execution)) return;
    const now = this.#clock.now();
    this.#pace.record(now - execution.startedAt);
    const { lease, item } = execution;
    // A lease that was lost, or no longer holds this item, wants no outcome of it.
    if (lease.running.has(item.id)) lease.record(outcome, now + FLUSH_MS);
    this.#bell.ring();
  }

  #summary(durationMs: number): Summary {
    return {
      claimed: this.#claimed,
      ...this.#leases.tally,
      batches: this.#batches,
      duration_ms: Math.round(durationMs),
      truncated: this.#stop !== null,
      truncated_reason: this.#stop?.reason ?? null,
    };
  }
}
