/** What is done to what passes through. */
export type Disturbance = "drop" | "delay" | "swallow" | "lose_reply";

/** A connection between workers and a server that can be made a bad one. */
export interface Proxy {
  url: string;
  stop(): void;
}

/** What is going on at the moment, on every connection alike. */
export class Weather {
  readonly #disturbances = new Set<{ how: Disturbance; share: number }>();

  /** For so long, disturbs this share of what workers send. */
  async disturb(how: Disturbance, { share, ms }: { share: number; ms: number }): Promise<void> {
    const disturbance = { how, share };
    this.#disturbances.add(disturbance);
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#disturbances.delete(disturbance);
  }

  get now(): Disturbance | null {
    const met = [...this.#disturbances].filter(({ share }) => Math.random() < share);
    return met.at(-1)?.how ?? null;
  }
}

const LONGEST_DELAY_MS = 1_500;

/** Starts one before an HTTP server. It knows nothing of HTTP: it sees bytes go and come. */
export function startProxy(target: string, weather: Weather): Proxy {
  const { port, hostname } = new URL(target);
  const upstream = { hostname, port: Number(port) };
  const open = new Set<Disposable>();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void accept();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    stop() {
      listener.close();
      for (const connection of open) connection[Symbol.dispose]();
    },
  };

  async function accept(): Promise<void> {
    for await (const client of listener) void join(client).catch(() => {});
  }

  async function join(client: Deno.Conn): Promise<void> {
    const server = await Deno.connect(upstream).catch(() => null);
    if (!server) return client.close();
    const pair = new Pair(client, server, () => open.delete(pair));
    open.add(pair);
    void pair.carryReplies();
    await pair.carryRequests(weather);
  }
}

/** A client's connection and the server's, as one. */
class Pair implements Disposable {
  #closed = false;
  #losesReplies = false;

  constructor(
    private readonly client: Deno.Conn,
    private readonly server: Deno.Conn,
    private readonly onClose: () => void,
  ) {}

  async carryRequests(weather: Weather): Promise<void> {
    let swallows = false;
    await this.#carry(this.client, async (bytes) => {
      const how = weather.now;
      swallows ||= how === "swallow";
      if (swallows) return true;
      if (how === "drop") return false;
      if (how === "delay") {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_DELAY_MS));
      }
      this.#losesReplies ||= how === "lose_reply";
      return await writeAll(this.server, bytes);
    });
  }

  /** A reply that is lost was on its way: the call was made. */
  async carryReplies(): Promise<void> {
    await this.#carry(
      this.server,
      async (bytes) => !this.#losesReplies && await writeAll(this.client, bytes),
    );
  }

  /** Until one end closes, or `pass` says that it is over. */
  async #carry(from: Deno.Conn, pass: (bytes: Uint8Array) => Promise<boolean>): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      while (true) {
        const length = await from.read(buffer);
        if (length === null || !await pass(buffer.subarray(0, length))) break;
      }
    } catch {
      // Reset by one of both.
    }
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.client.close();
    this.server.close();
    this.onClose();
  }
}

async function writeAll(to: Deno.Conn, bytes: Uint8Array): Promise<true> {
  for (let written = 0; written < bytes.length;) {
    written += await to.write(bytes.subarray(written));
  }
  return true;
}
