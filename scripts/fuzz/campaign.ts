import { abortable } from "@std/async/abortable";
import fc from "fast-check";
import postgres from "postgres";
import { type Stack, type StackOptions, startStack } from "../stack/stack.ts";
import { CHANGE_SETTINGS, type Changes, watchChanges } from "./changes.ts";
import { draftsFor } from "./drafts.ts";
import type { Endpoint } from "./endpoints.ts";
import { Findings } from "./findings.ts";
import { type BadLine, Logs } from "./logs.ts";
import { type Request, requestOf } from "./request.ts";
import { isAccepted, objections } from "./rules.ts";
import { type Exchange, sendAll } from "./send.ts";
import { type AtHand, makeThoughts, restock } from "./stock.ts";

/** How much, and what. */
export interface Plan {
  endpoints: Endpoint[];
  /** To each of them. */
  bodies: number;
  seed: number;
  /** Bugs to be found, for instance. */
  functions?: StackOptions["functions"];
}

/** What a campaign tells while it runs. */
export interface Narrator {
  /** A step that takes a while. */
  step(message: string): void;
  progress(endpoint: string, sent: number): void;
}

const BATCH = 500;
/** Which request of a batch did it takes many more to find out. */
const MOST_BLAMED = 5;

/** Sends everything to a stack of its own, and holds every answer, every log and every row against the rules. */
export async function campaign(
  plan: Plan,
  narrator: Narrator,
  signal: AbortSignal,
): Promise<Findings> {
  await using parts = new AsyncDisposableStack();
  const stateDir = await Deno.makeTempDir({ prefix: "dibs-fuzz-" });
  parts.defer(() => Deno.remove(stateDir, { recursive: true }));
  const findings = new Findings();
  const stack = await startStack({
    stateDir,
    port: 0,
    // Nothing ticks: whatever changes was changed by what is sent.
    standIns: false,
    functions: plan.functions,
    postgres: { settings: CHANGE_SETTINGS },
    onProgress: narrator.step,
  });
  parts.defer(() => stack.stop());
  signal.throwIfAborted();
  const changes = parts.use(await watchChanges(stack.adminDatabaseUrl));
  const logs = parts.use(new Logs(stateDir));
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  parts.defer(() => sql.end({ timeout: 1 }));
  // A query that lost its connection may never settle.
  await abortable(sendAllOf(plan), signal);

  // What its parts still had to log is there when they have ended.
  narrator.step("Stopping");
  await stack.stop();
  for (const { log, line, why } of await logs.news()) {
    findings.note("logged", `${log}: ${why}: ${line}`, "any");
  }
  return findings;

  async function sendAllOf({ endpoints, bodies, seed }: Plan): Promise<void> {
    await makeThoughts(sql);
    for (const endpoint of endpoints) {
      const drafts = draftsFor(endpoint);
      const attack = new Attack(endpoint, stack, changes, logs, findings, signal);
      for (let sent = 0; sent < bodies; sent += BATCH) {
        narrator.progress(endpoint.name, sent);
        const numRuns = Math.min(BATCH, bodies - sent);
        const atHand = await restock(sql);
        // Far from each other, or the batches of one seed would be those of another.
        const batchSeed = Math.imul(seed + 1, 0x9e3779b1) + sent | 0;
        await attack.send(fc.sample(drafts, { numRuns, seed: batchSeed }), atHand);
      }
      narrator.progress(endpoint.name, bodies);
    }
  }
}

/** All that is sent to one endpoint. */
class Attack {
  #sent = 0;
  #quiets = 0;
  #blamed = 0;
  /** The last ones, by number, for lines of a log that tell it. */
  #recent = new Map<number, Request>();

  constructor(
    private readonly endpoint: Endpoint,
    private readonly stack: Stack,
    private readonly changes: Changes,
    private readonly logs: Logs,
    private readonly findings: Findings,
    private readonly signal: AbortSignal,
  ) {}

  async send(drafts: Parameters<typeof requestOf>[0][], atHand: AtHand): Promise<void> {
    const requests = drafts.map((draft) => requestOf(draft, this.#sent++, this.endpoint, atHand));
    this.#recent = new Map(requests.map((request) => [request.n, request]));
    const { fit = [], unfit = [] } = Object.groupBy(
      requests,
      ({ allowed }) => allowed ? "fit" : "unfit",
    );
    for (const batch of [unfit, fit]) {
      const exchanges = await this.#sendWatched(batch);
      for (const exchange of exchanges) this.#judge(exchange);
    }
  }

  /**
   * Sends them and returns the answers. What was refused among others that were accepted is sent again,
   * apart from those, until nothing but refusals lies between two looks at the rows.
   */
  async #sendWatched(requests: Request[]): Promise<Exchange[]> {
    if (requests.length === 0) return [];
    const { exchanges, changed } = await this.#sendBatch(requests);
    const refused = exchanges.filter((exchange) => !isAccepted(exchange));
    if (refused.length < requests.length) {
      await this.#sendWatched(refused.map(({ request }) => request));
    } else if (changed.length > 0) {
      await this.#blame(requests, changed);
    }
    return exchanges;
  }

  async #sendBatch(requests: Request[]) {
    await this.#quiet();
    await this.changes.news();
    const exchanges = await sendAll(this.stack, requests, this.signal);
    await this.#quiet();
    const changed = await this.changes.news();
    // A lease that is lost stays lost: under a request id, that is an answer to be kept.
    const mayBeKept = exchanges.some(({ status }) => status === 409);
    return {
      exchanges,
      changed: changed.filter((it) => !(mayBeKept && it === "dibs.request: INSERT")),
    };
  }

  /** Finds out which of them changes a row, by sending fewer and fewer of them again. */
  async #blame(requests: Request[], changed: string[]): Promise<void> {
    const halves = requests.length > 1 && this.#blamed < MOST_BLAMED
      ? [requests.slice(0, requests.length / 2), requests.slice(requests.length / 2)]
      : [];
    for (const half of halves) {
      const again = await this.#sendBatch(half);
      if (again.changed.length > 0) return await this.#blame(half, again.changed);
    }
    this.#blamed++;
    const one = requests.length === 1
      ? ""
      : `, by one of ${requests.length}, of which this is the first`;
    this.findings.note("changed", changed.join(", ") + one, this.endpoint.name, requests[0]);
  }

  #judge(exchange: Exchange): void {
    this.findings.count(exchange);
    for (const [rule, why] of objections(exchange)) {
      this.findings.note(rule, why, this.endpoint.name, exchange.request);
    }
  }

  /** Waits until all that was sent has ended, drains in the background too, and is in the logs. */
  async #quiet(): Promise<void> {
    const id = `fuzz-${this.endpoint.name}-${this.#quiets++}`;
    await fetch(`${this.stack.url}/functions/v1/${this.endpoint.name}`, {
      headers: { "x-request-id": id },
      method: "PATCH",
    }).then((response) => response.body?.cancel());
    for (const line of await this.logs.untilQuiet(id)) this.#judgeLine(line);
  }

  #judgeLine({ log, line, why, from }: BadLine): void {
    const request = this.#recent.get(from[0]);
    this.findings.note("logged", `${log}: ${why}: ${line}`, this.endpoint.name, request);
  }
}
