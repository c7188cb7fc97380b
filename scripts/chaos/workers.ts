import { join } from "node:path";
import { write } from "../record/record.ts";
import { startWorker, type WorkerProcess } from "../record/worker_process.ts";
import type { Random } from "./random.ts";

/** What every worker is started with. */
export interface WorkerTerms {
  url: string;
  secretKey: string;
  record: string;
  leaseSeconds: number;
  /** For what they print. */
  dir: string;
}

interface Place {
  number: number;
  worker: WorkerProcess;
  lives: number;
  /** A fault has it in hand. */
  taken: boolean;
}

/** Every third worker is a careless one. */
const CARELESS_EACH = 3;

/** So many workers at a time; who falls is replaced. */
export class Workers {
  /** Those who ended though nobody had told them to, with their last words. */
  readonly endedByThemselves: string[] = [];
  readonly #places: Place[];

  constructor(count: number, private readonly terms: WorkerTerms) {
    this.#places = Array.from({ length: count }, (_, number) => ({
      number,
      worker: this.#start(number, 1),
      lives: 1,
      taken: false,
    }));
  }

  /** SIGKILL. */
  kill(random: Random): Promise<void> {
    return this.#with(random, async (place) => {
      await place.worker.kill();
      this.#note("killed", place);
      this.#replace(place);
    });
  }

  /** SIGTERM. */
  terminate(random: Random): Promise<void> {
    return this.#with(random, async (place) => {
      this.#note("terminated", place);
      await place.worker.terminate();
      this.#replace(place);
    });
  }

  /** SIGSTOP, and SIGCONT some multiple of its lease later. */
  freeze(random: Random, leases: number): Promise<void> {
    return this.#with(random, async (place) => {
      place.worker.freeze();
      this.#note("frozen", place);
      await new Promise((resolve) => setTimeout(resolve, leases * this.terms.leaseSeconds * 1000));
      this.#note("thawed", place);
      place.worker.thaw();
    });
  }

  /** Notices and replaces those who ended by themselves. */
  async look(): Promise<void> {
    for (const place of this.#places) {
      const { worker } = place;
      if (place.taken || worker.exitCode === null) continue;
      const words = await worker.lastWords();
      this.endedByThemselves.push(`${worker.name} (exit code ${worker.exitCode}): ${words}`);
      this.#replace(place);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#places.map(({ worker }) => worker.stop()));
  }

  /** With one that no other fault has in hand; nothing when there is none. */
  async #with(random: Random, harm: (place: Place) => Promise<void>): Promise<void> {
    const dice = random.whole(0, this.#places.length);
    const place = [...this.#places.slice(dice), ...this.#places.slice(0, dice)]
      .find(({ taken, worker }) => !taken && worker.exitCode === null);
    if (!place) return;
    place.taken = true;
    await harm(place);
    place.taken = false;
  }

  #replace(place: Place): void {
    place.worker = this.#start(place.number, ++place.lives);
  }

  #start(number: number, life: number): WorkerProcess {
    const careless = number % CARELESS_EACH === CARELESS_EACH - 1;
    const name = `${careless ? "careless" : "worker"}-${number + 1}.${life}`;
    const program = new URL(careless ? "careless_worker.ts" : "worker.ts", import.meta.url);
    const { dir, ...terms } = this.terms;
    return startWorker(name, { ...terms, program, log: join(dir, `${name}.log`) });
  }

  #note(kind: "killed" | "terminated" | "frozen" | "thawed", { worker }: Place): void {
    write(this.terms.record, { kind, by: worker.name });
  }
}
