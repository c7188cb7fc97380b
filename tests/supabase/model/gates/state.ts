import { byId, type Task as PlainTask, Tasks as PlainTasks } from "../tasks/state.ts";
import type { Everything, GateRow, Payload, Row, Unique } from "./calls.ts";

export interface Task extends PlainTask {
  payload: Payload;
  /** Whose it is; `key` is its unique key. */
  owner: string | null;
  orderKey: string | null;
  /** When it came to wait where it does. */
  since: number;
}

export interface Gate {
  type: string | null;
  scope: "everything" | "type" | "each key" | "key";
  key: string | null;
  most: number | null;
  pausedAt: number | null;
}

/** Who has a unique key, and until when whatever becomes of the task. */
interface Holding {
  task: Task;
  until: number;
}

/** Tasks, with what they have beside: payloads, keys, order keys, gates. */
export class Tasks extends PlainTasks {
  declare readonly tasks: Map<string, Task>;
  readonly gates = new Map<string, Gate>();
  /** When gates were changed last. */
  gatesChanged = -Infinity;
  readonly #holdings = new Map<string, Holding>();

  see(seen: Everything): Everything {
    const tasks = this.look(seen.tasks) as Row[];
    const gates = [...this.gates].sort(([a], [b]) => a < b ? -1 : 1).map(([, gate]) =>
      this.#gateRow(gate)
    );
    return { tasks, gates };
  }

  override row(task: Task): Row {
    const { payload, owner, orderKey } = task;
    return { ...super.row(task), payload, key: owner, order_key: orderKey };
  }

  #gateRow({ type, scope, key, most, pausedAt }: Gate): GateRow {
    const running = scope === "each key" ? null : this.running(type, key).length;
    return { type, scope, key, max_running: most, paused_at: pausedAt, running };
  }

  override moments(): number[] {
    return super.moments().concat([...this.#holdings.values()].map(({ until }) => until))
      .filter(Number.isFinite);
  }

  override wait(task: Task, runAt: number): void {
    super.wait(task, runAt);
    task.since = this.now;
  }

  override all(): Task[] {
    return [...this.tasks.values()];
  }

  running(type: string | null, key: string | null): Task[] {
    return this.all().filter((task) =>
      task.status === "processing" && (type === null || task.type === type) &&
      (key === null || task.owner === key)
    );
  }

  // Unique keys ------------------------------------------------------------------------------------

  /** The task that has this unique key, as far as others must mind. */
  override holderOf(
    type: string,
    key: string | null,
    scope: Unique["unique_scope"] = "unfinished",
  ): Task | undefined {
    const holding = this.#holdings.get(`${type} ${key}`);
    if (!holding) return undefined;
    const { task: { status }, until } = holding;
    const minds = status === "pending" || status === "processing" && scope !== "pending" ||
      status !== "cancelled" && until > this.now;
    return minds ? holding.task : undefined;
  }

  /** Gives a task its unique key. One that is being worked on goes on without. */
  giveKey(task: Task, until = -Infinity): void {
    if (task.key === null) return;
    const place = `${task.type} ${task.key}`;
    const before = this.#holdings.get(place);
    if (before?.task === task) return;
    if (before?.task.status === "processing") before.task.key = null;
    this.#holdings.set(place, { task, until });
  }

  /** Does all of something, or nothing where it is refused. */
  wholly<T>(call: () => T): T {
    const tasks = this.all().map((task) => ({ task, was: { ...task } }));
    const holdings = [...this.#holdings];
    const known = this.ids.length;
    try {
      return call();
    } catch (error) {
      this.ids.length = known;
      this.tasks.clear();
      this.#holdings.clear();
      for (const { task, was } of tasks) this.tasks.set(task.id, Object.assign(task, was));
      for (const [place, holding] of holdings) this.#holdings.set(place, holding);
      throw error;
    }
  }

  // Gates ------------------------------------------------------------------------------------------

  gate(scope: Gate["scope"], type: string | null, key: string | null): Gate | undefined {
    return this.gates.get(placeOf({ scope, type, key }));
  }

  setGate(place: Pick<Gate, "scope" | "type" | "key">, set: Partial<Gate>): void {
    const before = this.gates.get(placeOf(place)) ?? { most: null, pausedAt: null };
    const gate = { ...place, ...before, ...set };
    this.gates.delete(placeOf(place));
    if (gate.most !== null || gate.pausedAt !== null) this.gates.set(placeOf(place), gate);
    this.gatesChanged = this.now;
  }

  isPaused({ type, owner }: Task): boolean {
    const gates = [this.gate("everything", null, null), this.gate("type", type, null)]
      .concat(owner === null ? [] : this.gate("key", type, owner));
    return gates.some((gate) => gate && gate.pausedAt !== null);
  }

  /** Those that have not ended and have this task's order key, in their order. */
  inOrderWith({ type, orderKey }: Task): Task[] {
    return this.all().filter((other) =>
      orderKey !== null && other.orderKey === orderKey && other.type === type && !other.ended
    ).sort(byId);
  }
}

const placeOf = ({ scope, type, key }: Pick<Gate, "scope" | "type" | "key">): string =>
  `${type ?? ""} ${scope} ${key ?? ""}`;
