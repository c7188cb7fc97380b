import type {
  Grant,
  Item,
  Report,
  Settled,
  Source,
  Work,
} from "../../functions/_shared/worker/work.ts";
import { type Ending, now, type Recorder, type Surface, write } from "./record.ts";

/** Makes a worker record what it is granted and renews, and what it settles: before, and after. */
export function recordGrants<I extends Item>(
  work: Work<I>,
  surface: Surface,
  itemName: (item: I) => string,
  { file, by }: Recorder,
): Work<I> {
  const { source } = work;
  const leases = new Map<string, { leaseMs: number; names: Map<string, string> }>();
  /** When a claim was first asked for: it may be granted by any of its repeats, but not before. */
  const askedAt = new Map<string, number>();
  const recording: Source<I> = {
    async claim(limit, call) {
      const asked = firstAsked(call.requestId);
      return granted(await source.claim(limit, call), limit, asked);
    },
    async settle(fence, report, call) {
      settling(fence, report);
      const answer = await source.settle(fence, report, call);
      settled(fence, report, answer);
      return answer;
    },
    async settleAndClaim(fence, report, limit, call) {
      const asked = firstAsked(call.requestId);
      settling(fence, report);
      const answer = await source.settleAndClaim(fence, report, limit, call);
      settled(fence, report, answer);
      granted(answer.grant, limit, asked);
      return answer;
    },
    async renew(fence, progress, signal) {
      const asked = now();
      const held = await source.renew(fence, progress, signal);
      const { leaseMs, names } = leases.get(fence)!;
      const items = held.flatMap((id) => names.get(id) ?? []);
      write(file, { kind: "renewed", surface, by, fence, items, asked, leaseMs });
      return held;
    },
  };
  return { ...work, source: recording };

  function firstAsked(requestId: string): number {
    if (!askedAt.has(requestId)) askedAt.set(requestId, now());
    return askedAt.get(requestId)!;
  }

  function granted(grant: Grant<I> | null, limit: number, asked: number) {
    if (!grant || leases.has(grant.fence)) return grant;
    const { fence, leaseMs, items } = grant;
    leases.set(fence, { leaseMs, names: new Map(items.map((item) => [item.id, itemName(item)])) });
    const names = items.map(itemName);
    write(file, { kind: "granted", surface, by, fence, items: names, limit, asked, leaseMs });
    return grant;
  }

  /** Written before the call: from then on it may be settled, whatever becomes of the reply. */
  function settling(fence: string, report: Report): void {
    const items = Object.keys(endings(fence, report));
    write(file, { kind: "settling", surface, by, fence, items });
  }

  function settled(fence: string, report: Report, { settled, lost }: Settled): void {
    const { names } = leases.get(fence)!;
    const said = endings(fence, report);
    const gone = new Set(lost.map((id) => names.get(id)));
    const named = new Set(report.outcomes.map(({ id }) => names.get(id)));
    // A number is all that is told of what was not named: either it is the whole, or nobody knows.
    const all = settled === Object.keys(said).length;
    const accepted = Object.fromEntries(
      Object.entries(said).filter(([name]) => all || named.has(name) && !gone.has(name)),
    );
    const refused = Object.keys(said).filter((name) => !(name in accepted));
    write(file, { kind: "settled", surface, by, fence, accepted, refused });
    for (const { id } of report.outcomes) names.delete(id);
    if (report.rest) names.clear();
  }

  /** By name, what a report says of everything it is about. */
  function endings(fence: string, { outcomes, rest }: Report): Record<string, Ending> {
    const { names } = leases.get(fence)!;
    const all = new Map<string, Ending>();
    if (rest) { for (const name of names.values()) all.set(name, rest); }
    for (const { id, status } of outcomes) if (names.has(id)) all.set(names.get(id)!, status);
    return Object.fromEntries(all);
  }
}
