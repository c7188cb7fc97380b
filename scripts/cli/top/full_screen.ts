import stringWidth from "string-width";

/** What happened on the terminal: a key, another size, the wish to leave; or nothing for a while. */
export type TerminalEvent = string | "quit" | "resize" | "nothing";

export interface FullScreen extends AsyncDisposable {
  draw(lines: string[]): void;
  next(withinMs: number): Promise<TerminalEvent>;
}

const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/** Terminals that know it show a picture when it is complete, not while it is drawn. */
const [BEGIN, END] = ["\x1b[?2026h", "\x1b[?2026l"];

const QUIT = ["q", "Q", "\x03", "\x04"];
const SIGNALS = { SIGTERM: 143, SIGHUP: 129, SIGINT: 130 } as const;

/** The terminal's other screen, given back on every way out. */
export function fullScreen(): FullScreen {
  const events = new EventQueue();
  const resized = () => events.put("resize");
  let isLeft = false;
  const leave = () => {
    if (isLeft) return;
    isLeft = true;
    Deno.removeSignalListener("SIGWINCH", resized);
    try {
      Deno.stdin.setRaw(false);
      write(LEAVE);
    } catch {
      // The terminal itself is gone.
    }
  };
  globalThis.addEventListener("unload", leave);
  for (const [signal, code] of Object.entries(SIGNALS)) {
    Deno.addSignalListener(signal as keyof typeof SIGNALS, () => {
      leave();
      Deno.exit(code);
    });
  }
  Deno.addSignalListener("SIGWINCH", resized);
  Deno.stdin.setRaw(true);
  write(ENTER);
  readKeys(events);
  return {
    draw: (lines) => write(`${BEGIN}\x1b[H${lines.map(cleared).join("\r\n")}${END}`),
    next: (withinMs) => events.take(withinMs),
    [Symbol.asyncDispose]: () => Promise.resolve(leave()),
  };
}

/** With the rest of its row. Behind the last column there is none, and it would be that column that goes. */
function cleared(line: string): string {
  return stringWidth(line) < Deno.consoleSize().columns ? `${line}\x1b[K` : line;
}

/** Until there is nothing to read from any more, which is a way to leave, too. */
async function readKeys(events: EventQueue): Promise<void> {
  const buffer = new Uint8Array(64);
  while (true) {
    const read = await Deno.stdin.read(buffer).catch(() => null);
    const key = read === null ? "\x04" : new TextDecoder().decode(buffer.subarray(0, read));
    events.put(QUIT.includes(key) ? "quit" : key);
    if (read === null) return;
  }
}

class EventQueue {
  readonly #waiting: TerminalEvent[] = [];
  #wake = () => {};

  put(event: TerminalEvent): void {
    this.#waiting.push(event);
    this.#wake();
  }

  async take(withinMs: number): Promise<TerminalEvent> {
    if (this.#waiting.length === 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#waiting.shift() ?? "nothing";
  }
}

function write(text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}
