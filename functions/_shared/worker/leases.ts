import type { Clock } from "../clock.ts";
import { ApiError } from "../errors.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { instruments, SYSTEM } from "../tracing.ts";
import { ABORTED } from "./aborted.ts";
import type { Bell } from "./bell.ts";
import type { Execution } from "./execution.ts";
import type { Lease, Tally } from "./lease.ts";
import type { Grant, Item, Report, Settled, Source, SourceCall } from "./work.ts";

/** Handlers that were told to end get this long to do so. */
export const ABORT_GRACE_MS = 2_000;
/** Finished outcomes wait at most this long for company, so that a crash loses little. */
export const FLUSH_MS = 2_000;

interface Parts<I extends Item> {
  source: Source<I>;
  leaseMs: number;
  clock: Clock;
  bell: Bell;
  log: Log;
}

/** The leases a worker holds: keeps them alive, notices when one is lost, settles them. */
export class Leases<I extends Item> {
  readonly tally: Tally = { completed: 0, failed: 0, released: 0, lost: 0 };
  readonly #held = new Set<Lease<I>>();
  readonly #instruments = instruments();

  constructor(private readonly parts: Parts<I>) {}

  [Symbol.iterator](): Iterator<Lease<I>> {
    return this.#held.values();
  }

  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  get waiting(): number {
    return [...this.#held].reduce((sum, lease) => sum + lease.waiting.length, 0);
  }

  /** One that only needs its settlement: the next claim can take it along. */
  get finished(): Lease<I> | undefined {
    return [...this.#held].find((l) => l.isFinished && l.hasOutcomes && !l.settling);
  }

  get nextDue(): number {
    return Math.min(
      ...[...this.#held].map(({ renewAt, lostAt, flushAt, settling }) =>
        Math.min(renewAt, lostAt, settling ? Infinity : flushAt)
      ),
    );
  }

  add(lease: Lease<I>): void {
    this.#held.add(lease);
  }

  watch(now: number): void {
    for (const lease of this.#held) {
      if (now >= lease.lostAt) this.lose(lease);
      else if (now >= lease.renewAt) void this.#renew(lease, now);
    }
  }

  settleDue(now: number, stopping: boolean): void {
    for (const lease of this.#held) {
      if (lease.settling) continue;
      if (lease.isFinished && !lease.hasOutcomes) this.#forget(lease);
      else if (now >= lease.flushAt || stopping && lease.isFinished) void this.#settle(lease);
    }
  }

  /** One call for both. Undefined when it was not to be had; the next claim then goes by itself. */
  async settleAndClaim(lease: Lease<I>, limit: number): Promise<Grant<I> | null | undefined> {
    let grant: Grant<I> | null | undefined;
    await this.#settle(lease, async (report, call) => {
      const answer = await this.parts.source.settleAndClaim(lease.fence, report, limit, call);
      grant = answer.grant;
      return answer;
    });
    return grant;
  }

  /** Repeats what failed for a passing reason, with the same request id, for at most half a lease. */
  async call<T>(
    name: string,
    signal: AbortSignal,
    send: (call: SourceCall) => Promise<T>,
  ): Promise<T> {
    const { clock, log, leaseMs } = this.parts;
    const patience = new AbortController();
    void clock.sleep(leaseMs / 2, patience.signal).then(() => patience.abort(ABORTED));
    const call = {
      requestId: crypto.randomUUID(),
      signal: AbortSignal.any([signal, patience.signal]),
    };
    try {
      return await retry(() => send(call), {
        isRetryable: (error) => ApiError.from(error).retryable,
        signal: call.signal,
        clock,
        onRetry: (error) => log.error("retry", { call: name, code: ApiError.from(error).code }),
      });
    } finally {
      patience.abort(ABORTED);
    }
  }

  /** An item that its handler completes itself. Given up meanwhile, it stays counted as it was. */
  async commit<T>(execution: Execution<I>, call: () => Promise<T>): Promise<T> {
    const { lease, item } = execution;
    execution.committing = true;
    try {
      const answer = await call();
      if (lease.running.delete(item.id)) this.#count("completed");
      return answer;
    } finally {
      execution.committing = false;
      this.parts.bell.ring();
    }
  }

  lose(lease: Lease<I>): void {
    if (!this.#held.delete(lease)) return;
    for (const execution of lease.running.values()) {
      execution.abort("lease_lost", this.parts.clock.now() + ABORT_GRACE_MS);
    }
    const items = lease.end();
    this.#count("lost", items);
    this.#instruments.lostLeases.add(1, SYSTEM);
    this.parts.log.error("lease_lost", { fence: lease.fence, items });
  }

  #forget(lease: Lease<I>): void {
    this.#held.delete(lease);
    lease.end();
  }

  async #renew(lease: Lease<I>, asked: number): Promise<void> {
    const { source, clock, bell, log } = this.parts;
    const before = lease.unfinishedIds();
    const progress = lease.beat(asked, clock.random());
    try {
      const held = new Set(await source.renew(lease.fence, progress, lease.signal));
      lease.renewed(asked);
      const unfinished = new Set(lease.unfinishedIds());
      for (const id of before) {
        if (unfinished.has(id) && !held.has(id) && !lease.running.get(id)?.committing) {
          this.#drop(lease, id);
        }
      }
    } catch (error) {
      if (!lease.isOver) log.error("renew_failed", { code: ApiError.from(error).code });
    }
    bell.ring();
  }

  #drop(lease: Lease<I>, id: string): void {
    this.#count("lost");
    lease.drop(id)?.abort("lease_lost", this.parts.clock.now() + ABORT_GRACE_MS);
  }

  async #settle(
    lease: Lease<I>,
    send = (report: Report, call: SourceCall): Promise<Settled> =>
      this.parts.source.settle(lease.fence, report, call),
  ): Promise<void> {
    const { clock, bell, log } = this.parts;
    lease.settling = true;
    const report = lease.report();
    try {
      const answer = await this.call("settle", lease.signal, (call) => send(report, call));
      const { superseded = [] } = answer;
      if (superseded.length > 0) log.error("superseded", { fence: lease.fence, ids: superseded });
      if (lease.isOver) return;
      const tally = lease.absorb(report, answer, clock.now() + FLUSH_MS);
      for (const word of Object.keys(tally) as (keyof Tally)[]) this.#count(word, tally[word]);
      log.info("settled", { fence: lease.fence, ...tally });
    } catch (error) {
      if (lease.isOver) return;
      log.error("settle_refused", { fence: lease.fence, code: ApiError.from(error).code });
      this.lose(lease);
    } finally {
      lease.settling = false;
      bell.ring();
    }
  }

  #count(outcome: keyof Tally, items = 1): void {
    this.tally[outcome] += items;
    if (items > 0) this.#instruments.items.add(items, { ...SYSTEM, "dibs.outcome": outcome });
  }
}
