import { describe, type Request } from "./request.ts";
import { type Rule, RULES } from "./rules.ts";
import type { Exchange } from "./send.ts";

/** Something that broke a rule. */
export interface Finding {
  rule: Rule;
  endpoint: string;
  why: string;
  /** The request, where it is known. */
  request?: string;
}

const MOST_TOLD = 10;

/** What came of everything that was sent. */
export class Findings {
  /** How often each rule was broken. */
  readonly broken: Partial<Record<Rule, number>> = {};
  /** The first of each rule. */
  readonly told: Finding[] = [];
  readonly #answers = new Map<string, Pick<Exchange, "status" | "ms">[]>();

  note(rule: Rule, why: string, endpoint: string, request?: Request): void {
    this.broken[rule] = (this.broken[rule] ?? 0) + 1;
    if (this.broken[rule] > MOST_TOLD) return;
    this.told.push({ rule, endpoint, why, request: request && describe(request) });
  }

  count({ request, status, ms }: Exchange): void {
    const answers = this.#answers.get(request.endpoint.name) ?? [];
    this.#answers.set(request.endpoint.name, answers);
    answers.push({ status, ms });
  }

  get ok(): boolean {
    return Object.keys(RULES).every((rule) => !this.broken[rule as Rule]);
  }

  /** By endpoint: how many bodies, which answers, and how long those took. */
  get endpoints() {
    return Object.fromEntries([...this.#answers].map(([name, answers]) => {
      const statuses: Record<number, number> = {};
      for (const { status } of answers) statuses[status] = (statuses[status] ?? 0) + 1;
      const sorted = Float64Array.from(answers, ({ ms }) => ms).sort();
      const percentile = (part: number) =>
        Number(sorted[Math.ceil(part * sorted.length) - 1].toFixed(1));
      return [name, {
        bodies: answers.length,
        statuses,
        p50_ms: percentile(0.5),
        p99_ms: percentile(0.99),
      }];
    }));
  }
}
