import type { Item } from "./evidence.ts";
import {
  ITEM_INVARIANTS,
  recoverySeconds,
  RUN_INVARIANTS,
  type Terms,
  type Testimony,
} from "./invariants.ts";
import type { Mailing } from "./workload.ts";

/** What became of the emails of one kind. */
interface Mails {
  delivered: number;
  /** Repeats that the provider dropped. */
  absorbed: number;
  doubled: number;
  /** Left for a person to decide: the attempt that may have sent them was cut off. */
  parked: number;
}

/** An invariant that does not hold, and the first of those that break it. */
export interface Broken {
  key: string;
  says: string;
  times: number;
  by: string[];
  /** Those of them that are items. */
  items: Item[];
}

const EXAMPLES = 20;

/** Holds what was found against every invariant, share by share, and counts what happened. */
export class Judge {
  executions = 0;
  staleRefused = 0;
  readonly recoveries: number[] = [];
  readonly mails: Record<Mailing, Mails> = {
    mails_with_key: noMails(),
    mails_without_key: noMails(),
  };
  readonly parked: string[] = [];
  readonly #broken = new Map<string, Broken>();

  constructor(private readonly terms: Terms) {}

  get broken(): Broken[] {
    return [...this.#broken.values()];
  }

  hear(item: Item): void {
    for (const { key, says, isBrokenBy, ofContested } of ITEM_INVARIANTS) {
      if (item.surface === "contested" && !ofContested) continue;
      if (isBrokenBy(item, this.terms)) this.#note({ key, says }, item.name, item);
    }
    if (item.surface === "contested") return;
    this.executions += item.executions.length;
    this.staleRefused += item.refused;
    this.recoveries.push(...recoverySeconds(item, this.terms.leaseSeconds));
    if (item.inDoubt) this.parked.push(item.name);
    const mails = this.mails[item.entries[0]?.behaviour as Mailing];
    if (!mails) return;
    mails.delivered += item.delivered;
    mails.absorbed += item.absorbed;
    mails.doubled += Number(item.delivered > 1);
    mails.parked += Number(item.inDoubt);
  }

  close(testimony: Testimony): void {
    for (const { key, says, brokenBy } of RUN_INVARIANTS) {
      for (const sentence of brokenBy(testimony)) this.#note({ key, says }, sentence);
    }
  }

  #note({ key, says }: { key: string; says: string }, by: string, item?: Item): void {
    const broken = this.#broken.get(key) ?? { key, says, times: 0, by: [], items: [] };
    this.#broken.set(key, broken);
    if (broken.times++ >= EXAMPLES) return;
    broken.by.push(by);
    if (item) broken.items.push(item);
  }
}

function noMails(): Mails {
  return { delivered: 0, absorbed: 0, doubled: 0, parked: 0 };
}
