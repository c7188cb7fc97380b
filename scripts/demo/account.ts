import type { Line, Surface } from "../record/record.ts";

/** What the killed worker held at its end, and what became of it. */
export interface Recovery {
  heldTasks: number;
  heldThoughts: number;
  /** How many of them somebody else completed. */
  recovered: number;
  /** From the kill until the last of them was in other hands; null while one is not. */
  seconds: number | null;
}

/** What the record says of one surface. */
export interface Progress {
  enqueued: number;
  /** How many somebody began. */
  begun: number;
  completed: number;
}

interface Item {
  surface: Surface;
  begun: boolean;
  completed: boolean;
  /** Executions that began and did not end. */
  open: Set<string>;
}

interface Kill {
  at: number;
  by: string;
  held: string[];
  /** When somebody else began each of them. */
  backAt: Map<string, number>;
  recovered: Set<string>;
}

/**
 * Counts, from a record and nothing else, who did what. Only items that the record itself says were
 * enqueued count, so that what an earlier run left is not mixed in.
 */
export class Account {
  executions = 0;
  /** How often an item was begun while an execution of it by a living process had not ended. */
  doubleHolds = 0;
  readonly #items = new Map<string, Item>();
  readonly #running = new Map<string, { item: string; by: string }>();
  readonly #held = new Map<string, Set<string>>();
  readonly #completedBy = new Map<string, number>();
  #kill: Kill | null = null;

  add(line: Line): void {
    switch (line.kind) {
      case "enqueued":
        for (const item of line.items) {
          this.#items.set(item, {
            surface: line.surface,
            begun: false,
            completed: false,
            open: new Set(),
          });
        }
        break;
      case "granted":
        for (const item of line.items) if (this.#items.has(item)) this.#heldBy(line.by).add(item);
        break;
      case "settling":
        for (const item of line.items) this.#heldBy(line.by).delete(item);
        break;
      case "began":
        this.#began(line);
        break;
      case "ended":
        this.#ended(line);
        break;
      case "killed":
        this.#killed(line);
    }
  }

  progress(surface: Surface): Progress {
    const items = [...this.#items.values()].filter((item) => item.surface === surface);
    return {
      enqueued: items.length,
      begun: items.filter(({ begun }) => begun).length,
      completed: items.filter(({ completed }) => completed).length,
    };
  }

  /** How many different items were begun. */
  get distinct(): number {
    return [...this.#items.values()].filter(({ begun }) => begun).length;
  }

  completedBy(by: string): number {
    return this.#completedBy.get(by) ?? 0;
  }

  /** What a worker holds now, by its own word: granted, and no outcome on its way. */
  holding(by: string): Record<Surface, number> {
    return this.#count([...this.#heldBy(by)]);
  }

  get recovery(): Recovery | null {
    if (!this.#kill) return null;
    const { at, held, backAt, recovered } = this.#kill;
    const { tasks, thoughts } = this.#count(held);
    return {
      heldTasks: tasks,
      heldThoughts: thoughts,
      recovered: recovered.size,
      seconds: backAt.size === held.length ? (Math.max(at, ...backAt.values()) - at) / 1000 : null,
    };
  }

  #began({ execution, item: name, by, at }: Line & { kind: "began" }): void {
    const item = this.#items.get(name);
    if (!item) return;
    this.executions++;
    if (item.open.size > 0) this.doubleHolds++;
    item.begun = true;
    item.open.add(execution);
    this.#running.set(execution, { item: name, by });
    const kill = this.#kill;
    if (kill?.held.includes(name) && !kill.backAt.has(name)) kill.backAt.set(name, at);
  }

  #ended({ execution, succeeded }: Line & { kind: "ended" }): void {
    const running = this.#running.get(execution);
    if (!running) return;
    const item = this.#items.get(running.item)!;
    this.#running.delete(execution);
    item.open.delete(execution);
    if (!succeeded) return;
    item.completed = true;
    this.#completedBy.set(running.by, this.completedBy(running.by) + 1);
    if (this.#kill?.backAt.has(running.item)) this.#kill.recovered.add(running.item);
  }

  /** Whatever it was doing ended with it. */
  #killed({ by, at }: Line & { kind: "killed" }): void {
    for (const [execution, running] of this.#running) {
      if (running.by !== by) continue;
      this.#running.delete(execution);
      this.#items.get(running.item)!.open.delete(execution);
    }
    const held = [...this.#heldBy(by)];
    this.#kill = { at, by, held, backAt: new Map(), recovered: new Set() };
    this.#held.delete(by);
  }

  #heldBy(by: string): Set<string> {
    if (!this.#held.has(by)) this.#held.set(by, new Set());
    return this.#held.get(by)!;
  }

  #count(names: string[]): Record<Surface, number> {
    const tasks = names.filter((name) => this.#items.get(name)?.surface === "tasks").length;
    return { tasks, thoughts: names.length - tasks };
  }
}
