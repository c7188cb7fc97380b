import type { Stack } from "../stack/stack.ts";
import { type Surface, write } from "../record/record.ts";
import { nameOf, type NewTask, type NewThought, type Workload } from "./workload.ts";

/** Hands a workload over, wave by wave, as any client of a project would. */
export class Feed {
  /** How much there is in all. */
  readonly total: Record<Surface, number>;
  /** What was handed over, by the ids Dibs knows. */
  readonly ids: Record<Surface, string[]> = { tasks: [], thoughts: [] };
  readonly #tasks: NewTask[][];
  readonly #thoughts: NewThought[][];

  constructor(
    private readonly stack: Stack,
    private readonly record: string,
    { tasks, thoughts }: Workload,
  ) {
    this.#tasks = [...tasks];
    this.#thoughts = [...thoughts];
    this.total = { tasks: tasks.flat().length, thoughts: thoughts.flat().length };
  }

  async next(surface: Surface): Promise<void> {
    if (surface === "tasks") await this.#enqueue(this.#tasks.shift() ?? []);
    else await this.#insert(this.#thoughts.shift() ?? []);
  }

  async #enqueue(tasks: NewTask[]): Promise<void> {
    if (tasks.length === 0) return;
    this.#note("tasks", tasks.map(nameOf.task));
    const response = await this.#post("/functions/v1/enqueue", { tasks });
    const answer: { tasks: { id: string }[] } = await response.json();
    this.ids.tasks.push(...answer.tasks.map(({ id }) => id));
  }

  async #insert(thoughts: NewThought[]): Promise<void> {
    if (thoughts.length === 0) return;
    const ids = thoughts.map(nameOf.thought);
    this.#note("thoughts", ids);
    await this.#post("/rest/v1/thoughts", thoughts);
    this.ids.thoughts.push(...ids);
  }

  /** Before anybody else hears of them, so that no work is done before it is known. */
  #note(surface: Surface, items: string[]): void {
    write(this.record, { kind: "enqueued", surface, items });
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
