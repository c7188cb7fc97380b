// What the words after a verb mean, and how answers are put into words.
import type { Session } from "../../support/permutations.ts";

/** What a race calls the things it is about. */
export class Names {
  private readonly ids = new Map<string, string>();

  constructor(names: string[], ids: string[]) {
    this.add(names, ids);
  }

  /** Gives names to ids, in their order. */
  add(names: string[], ids: string[]): void {
    names.forEach((name, n) => this.ids.set(name, ids[n]));
  }

  /** Every name with its id. */
  entries(): [string, string][] {
    return [...this.ids];
  }

  /** An id by its name; nothing has the id of `nobody`. */
  idOf(name: string): string {
    const id = name === "nobody" ? crypto.randomUUID() : this.ids.get(name);
    if (!id) throw new Error(`nothing is called ${name}`);
    return id;
  }

  /** The names of these ids, in alphabetical order. */
  list(ids: string[]): string {
    const names = ids.map((id) => this.entries().find(([, known]) => known === id)?.[0] ?? id);
    return names.sort().join(" ") || "none";
  }
}

/** The fence that each worker has. */
export class Fences {
  private readonly fences = new Map<string, string>();

  of({ worker }: Session): string {
    return this.fences.get(worker) ?? "0";
  }

  /** The answer of a call by request gets lost, which is why it is made again. */
  answered({ worker }: Session, fence: string | null | undefined, requestId?: string): void {
    if (fence && !requestId) this.fences.set(worker, fence);
  }
}

/** `… by request`: a call with a request id, the same for all of a worker's calls. */
export function readRequest({ worker }: Session, words: string[]) {
  return words.at(-1) === "request"
    ? { words: words.slice(0, -2), requestId: `of ${worker}` }
    : { words };
}

/** `x succeeded y failed`; `discarded` is failed for good, `all` is what else the lease holds. */
export function readOutcomes(names: Names, words: string[]) {
  const pairs = words.flatMap((name, n) => n % 2 === 0 ? [[name, words[n + 1]]] : []);
  return {
    outcomes: pairs.filter(([name]) => name !== "all").map(([name, status]) => ({
      id: names.idOf(name),
      ...status === "discarded" ? { status: "failed", permanent: true } : { status },
    })),
    rest: pairs.find(([name]) => name === "all")?.[1] ?? null,
  };
}

/** Such as `settled 1 lost x`. */
export function settlement(names: Names, { settled, lost }: { settled: number; lost: string[] }) {
  return `settled ${settled}${lost.length > 0 ? ` lost ${names.list(lost)}` : ""}`;
}

/** How many rows a statement was about. */
export const rows = ({ count }: { count: number }) => `${count}`;
