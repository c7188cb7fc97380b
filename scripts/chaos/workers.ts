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
  /** The database, over a bad connection and over a good one. */
  badDatabaseUrl: string;
  databaseUrl: string;
  mailUrl: string;
  /** For what they print. */
  dir: string;
}

interface Kind {
  name: string;
  program: string;
  env(terms: WorkerTerms): Record<string, string>;
}

interface Place {
  number: number;
  kind: Kind;
  worker: WorkerProcess;
  lives: number;
  /** A fault has it in hand. */
  taken: boolean;
}

const HOUR_MS = 3_600_000;
/** By how much clocks are wrong, from place to place. */
const CLOCKS_OFF_MS = [0, HOUR_MS, -HOUR_MS];

/** The worker loop over the data API and over SQL, and a careless client of the endpoints. */
const LOOP: Kind = {
  name: "loop",
  program: "loop_worker.ts",
  env: ({ mailUrl }) => ({ DIBS_MAIL_URL: mailUrl }),
};
const LOOP_OVER_SQL: Kind = {
  ...LOOP,
  name: "sql",
  env: ({ mailUrl, badDatabaseUrl }) => ({
    DIBS_MAIL_URL: mailUrl,
    DIBS_DATABASE_URL: badDatabaseUrl,
  }),
};
const CARELESS: Kind = { name: "careless", program: "careless_worker.ts", env: () => ({}) };
const RIVALS: Kind = {
  name: "rivals",
  program: "rivals.ts",
  env: ({ databaseUrl }) => ({ DIBS_DATABASE_URL: databaseUrl }),
};
/** From place to place, over and over: mostly SQL, since the data API of this machine is slower. */
const KINDS = [
  LOOP,
  CARELESS,
  LOOP_OVER_SQL,
  LOOP_OVER_SQL,
  LOOP_OVER_SQL,
  CARELESS,
  LOOP_OVER_SQL,
  LOOP_OVER_SQL,
];
/** Few, and at work all the time: these places are theirs. */
const PLACES_OF_RIVALS = [3, 6];

/** So many workers at a time; who falls is replaced. */
export class Workers {
  /** Those who ended though nobody had told them to, with their last words. */
  readonly endedByThemselves: string[] = [];
  readonly #places: Place[];

  constructor(count: number, private readonly terms: WorkerTerms) {
    this.#places = Array.from({ length: count }, (_, number) => {
      const kind = PLACES_OF_RIVALS.includes(number) ? RIVALS : KINDS[number % KINDS.length];
      return { number, kind, worker: this.#start(number, kind, 1), lives: 1, taken: false };
    });
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

  /** Its wall clock jumps by hours. */
  jumpClock(random: Random): Promise<void> {
    return this.#with(random, (place) => Promise.resolve(place.worker.poke()), CLOCKED);
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
  async #with(
    random: Random,
    harm: (place: Place) => Promise<void>,
    kinds: Kind[] | null = null,
  ): Promise<void> {
    const dice = random.whole(0, this.#places.length);
    const place = [...this.#places.slice(dice), ...this.#places.slice(0, dice)]
      .find(({ taken, worker, kind }) =>
        !taken && worker.exitCode === null && (kinds?.includes(kind) ?? true)
      );
    if (!place) return;
    place.taken = true;
    await harm(place);
    place.taken = false;
  }

  #replace(place: Place): void {
    place.worker = this.#start(place.number, place.kind, ++place.lives);
  }

  #start(number: number, kind: Kind, life: number): WorkerProcess {
    const name = `${kind.name}-${number + 1}.${life}`;
    const { url, secretKey, record, leaseSeconds, dir } = this.terms;
    return startWorker(name, {
      program: new URL(`workers/${kind.program}`, import.meta.url),
      url,
      secretKey,
      record,
      leaseSeconds,
      log: join(dir, `${name}.log`),
      env: {
        ...kind.env(this.terms),
        DIBS_CLOCK_OFF_MS: String(CLOCKS_OFF_MS[number % CLOCKS_OFF_MS.length]),
      },
    });
  }

  #note(kind: "killed" | "terminated" | "frozen" | "thawed", { worker }: Place): void {
    write(this.terms.record, { kind, by: worker.name });
  }
}

/** Who listens for a jump of the clock. */
const CLOCKED = [LOOP, LOOP_OVER_SQL, RIVALS];
