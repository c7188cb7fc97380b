import Table from "cli-table3";
import pc from "picocolors";

const NARROW = 80;

/** One of the things to be proven. */
export interface Check {
  what: string;
  passed: boolean;
  found: string;
}

/** Where people read along. A terminal gets colours and lines that change, a file plain ones. */
export class Screen {
  readonly isLive: boolean;
  readonly paint: ReturnType<typeof pc.createColors>;
  #step: { message: string; began: number } | null = null;

  constructor(readonly stream: NodeJS.WriteStream) {
    this.isLive = Boolean(stream.isTTY);
    this.paint = pc.createColors(this.isLive && !Deno.env.get("NO_COLOR"));
  }

  get columns(): number {
    return this.stream.columns ?? NARROW;
  }

  line(text = ""): void {
    this.stream.write(text + "\n");
  }

  title(text: string): void {
    this.line(`\n${this.paint.bold(text)}`);
  }

  /** Something that takes a while; the next step, or `stepsDone`, says that it is done. */
  step(message: string): void {
    this.stepsDone();
    this.#step = { message, began: Date.now() };
    if (this.isLive) this.stream.write(this.paint.dim(`  · ${message} …`));
    else this.line(`  ${message}`);
  }

  stepsDone(mark = this.paint.green("✓")): void {
    if (!this.#step) return;
    const { message, began } = this.#step;
    this.#step = null;
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    const took = seconds === "0.0" ? "" : this.paint.dim(`  ${seconds} s`);
    if (this.isLive) this.line(`\r\x1b[K  ${mark} ${message}${took}`);
  }

  stepFailed(): void {
    this.stepsDone(this.paint.red("✗"));
  }

  /** Names and values, in two columns. */
  pairs(pairs: Record<string, string>): void {
    const width = Math.max(...Object.keys(pairs).map((name) => name.length));
    for (const [name, value] of Object.entries(pairs)) {
      this.line(`  ${this.paint.dim(name.padEnd(width))}  ${value}`);
    }
  }

  checks(checks: Check[]): void {
    const { green, red } = this.paint;
    const table = new Table({ chars: RULED, style: { head: [], border: [] } });
    for (const { what, passed, found } of checks) {
      table.push([passed ? green("✓") : red("✗"), what, passed ? found : red(found)]);
    }
    this.line(table.toString());
  }
}

/** A rule above and below, and nothing in between. */
const RULED = {
  "top": "─",
  "top-mid": "─",
  "top-left": "",
  "top-right": "",
  "bottom": "─",
  "bottom-mid": "─",
  "bottom-left": "",
  "bottom-right": "",
  "left": "",
  "left-mid": "",
  "mid": "",
  "mid-mid": "",
  "right": "",
  "right-mid": "",
  "middle": "",
};
