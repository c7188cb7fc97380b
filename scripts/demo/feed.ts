import type { Stack } from "../stack/stack.ts";
import { write } from "./record.ts";
import { nameOf, type Wave, type Workload } from "./workload.ts";

/** Hands a workload over, wave by wave, as any client of a project would. */
export class Feed {
  readonly taskIds: string[] = [];
  readonly thoughtIds: string[] = [];
  readonly #waves: Wave[];

  constructor(
    private readonly stack: Stack,
    private readonly record: string,
    readonly workload: Workload,
  ) {
    this.#waves = [...workload.waves];
  }

  get hasMore(): boolean {
    return this.#waves.length > 0;
  }

  /** The thoughts first: tasks wake dispatch, which then sees both. */
  async next(): Promise<void> {
    const { tasks, thoughts } = this.#waves.shift()!;
    // Into the record before anywhere else, so that no work can be done before it is known.
    write(this.record, { kind: "enqueued", surface: "tasks", items: tasks.map(nameOf.task) });
    write(this.record, {
      kind: "enqueued",
      surface: "thoughts",
      items: thoughts.map(nameOf.thought),
    });
    await this.#post("/rest/v1/thoughts", thoughts);
    this.thoughtIds.push(...thoughts.map(({ id }) => id));
    const response = await this.#post("/functions/v1/enqueue", { tasks });
    const answer: { tasks: { id: string }[] } = await response.json();
    this.taskIds.push(...answer.tasks.map(({ id }) => id));
  }

  async #post(path: string, body: unknown): Promise<Response> {
    const { url, secretKey, stateDir } = this.stack;
    const response = await fetch(new URL(path, url), {
      method: "POST",
      headers: { apikey: secretKey, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (response.ok) return response;
    throw new Error(
      `POST ${path} answered ${response.status}: ${await response.text()}\n` +
        `What the functions and the data API said is in ${stateDir}/*.log.`,
    );
  }
}
