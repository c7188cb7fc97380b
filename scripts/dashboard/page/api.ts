// The server's reads and actions. Everything it answers is data; nothing of it is ever markup.

const meta = (name: string) =>
  document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)!.content;
const base = meta("dibs-base");

/** What the server said to a call that it refused or could not answer. */
export class Refusal extends Error {
  constructor(message: string, readonly hint?: string) {
    super(message);
  }

  /** In sentences: what the database refuses ends without a full stop. */
  get says(): string {
    return [this.message, this.hint].filter(Boolean)
      .map((text) => /[.!?…]$/.test(text!) ? text : `${text}.`).join(" ");
  }
}

/** That something was done, or somebody does not want to wait: what is on the screen is read anew. */
export const CHANGED = "dibs-changed";

export function lookAgain(): void {
  dispatchEvent(new Event(CHANGED));
}

export async function read<T>(
  name: string,
  { params = {}, signal }: { params?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<T> {
  return await send(`${name}?${new URLSearchParams(params)}`, { signal }) as T;
}

export async function act(name: string, body: Record<string, unknown>): Promise<unknown> {
  const answer = await send(name, {
    method: "POST",
    headers: { "content-type": "application/json", "x-dibs-token": meta("dibs-token") },
    body: JSON.stringify(body),
  }) as { done: unknown };
  if (body.dry_run !== true) lookAgain();
  return answer.done;
}

async function send(path: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(`${base}api/${path}`, init).catch((error) => {
    if (init.signal?.aborted) throw error;
    throw new Refusal(
      "The dashboard’s server does not answer",
      "Was it stopped? Start it again as you did",
    );
  });
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw new Refusal(answer?.message ?? `The server answered ${response.status}.`, answer?.hint);
}
