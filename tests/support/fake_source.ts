import type {
  Grant,
  Item,
  Outcome,
  Report,
  Settled,
  Source,
  SourceCall,
} from "../../functions/_shared/worker/work.ts";

export interface FakeItem extends Item {
  name: string;
}

type Verb = keyof Source<FakeItem>;

/** A pool of work in memory that keeps the rules of the real one, and notes every call. */
export class FakeSource implements Source<FakeItem> {
  readonly calls: {
    verb: Verb;
    fence?: string;
    limit?: number;
    report?: Report;
    requestId?: string;
  }[] = [];
  /** By name, in the order they were accepted. */
  readonly accepted: (Outcome & { name: string })[] = [];
  readonly progress: Record<string, unknown>[] = [];
  /** Called before a verb does anything; throw here for a request that never arrived. */
  before: (verb: Verb) => void | Promise<void> = () => {};
  /** Called after it did; throw here for a reply that got lost. */
  after: (verb: Verb) => void | Promise<void> = () => {};
  readonly #leases = new Map<string, Map<string, FakeItem>>();
  readonly #answers = new Map<string, unknown>();
  #waiting: FakeItem[];
  #fences = 0;

  constructor(items: number, readonly leaseMs: number) {
    this.#waiting = Array.from(
      { length: items },
      (_, i) => ({ id: `id-${i}`, name: `${i}`, attempt: 1 }),
    );
  }

  get waiting(): string[] {
    return this.#waiting.map(({ name }) => name);
  }

  verbs(): Verb[] {
    return this.calls.map(({ verb }) => verb);
  }

  /** Somebody else has it now, as after an expiry, or a person cancelled it. */
  take(name: string): void {
    for (const held of this.#leases.values()) held.delete(`id-${name}`);
  }

  add(name: string): void {
    this.#waiting.push({ id: `id-${name}`, name, attempt: 1 });
  }

  claim(limit: number, call: SourceCall) {
    this.calls.push({ verb: "claim", limit, requestId: call.requestId });
    return this.#answer("claim", call, () => this.#grant(limit));
  }

  settle(fence: string, report: Report, call: SourceCall) {
    this.calls.push({ verb: "settle", fence, report, requestId: call.requestId });
    return this.#answer("settle", call, () => this.#settle(fence, report));
  }

  settleAndClaim(fence: string, report: Report, limit: number, call: SourceCall) {
    this.calls.push({ verb: "settleAndClaim", fence, report, limit, requestId: call.requestId });
    return this.#answer("settleAndClaim", call, () => ({
      ...this.#settle(fence, report),
      grant: this.#grant(limit),
    }));
  }

  async renew(fence: string, progress: Record<string, unknown>) {
    this.calls.push({ verb: "renew", fence });
    await this.before("renew");
    if (Object.keys(progress).length > 0) this.progress.push(progress);
    return [...this.#leases.get(fence)?.keys() ?? []];
  }

  async #answer<T>(verb: Verb, { requestId }: SourceCall, act: () => T): Promise<T> {
    await this.before(verb);
    if (!this.#answers.has(requestId)) this.#answers.set(requestId, act());
    await this.after(verb);
    return this.#answers.get(requestId) as T;
  }

  #grant(limit: number): Grant<FakeItem> | null {
    const items = this.#waiting.splice(0, limit);
    if (items.length === 0) return null;
    const fence = String(++this.#fences);
    this.#leases.set(fence, new Map(items.map((item) => [item.id, item])));
    return { fence, leaseMs: this.leaseMs, items };
  }

  #settle(fence: string, { outcomes, rest }: Report): Settled {
    const held = this.#leases.get(fence) ?? new Map<string, FakeItem>();
    const lost = outcomes.filter(({ id }) => !held.has(id)).map(({ id }) => id);
    const named = outcomes.filter(({ id }) => held.has(id));
    for (const outcome of named) this.#accept(held, outcome);
    const unnamed = rest ? [...held.keys()] : [];
    for (const id of unnamed) this.#accept(held, { id, status: rest! });
    return { settled: named.length + unnamed.length, lost };
  }

  #accept(held: Map<string, FakeItem>, outcome: Outcome): void {
    this.accepted.push({ ...outcome, name: held.get(outcome.id)!.name });
    held.delete(outcome.id);
  }
}
