// What functions answer to requests that change nothing.

const NAMES = ["claim", "renew", "release", "enqueue", "drain", "dispatch", "status"] as const;

export type FunctionName = typeof NAMES[number];

export interface Answer {
  /** 0 when none came. */
  status: number;
  /** By a function of Dibs, and not by the platform in front of it or by somebody else's function. */
  isDibs: boolean;
  /** The JSON that came, or else the text. */
  // deno-lint-ignore no-explicit-any -- whoever answers may answer anything
  body: any;
  /** How far its clock is ahead of ours, to a second; null when it did not tell. */
  aheadMs: number | null;
}

/** A function may have to be started first. */
const LONGEST_ANSWER_MS = 20_000;

/** Asks each function with GET and without a key, which all of them refuse before anything else. */
export async function askFunctions(url: string): Promise<Map<FunctionName, Answer>> {
  const asked = NAMES.map(async (name) => [name, await ask(url, name)] as const);
  return new Map(await Promise.all(asked));
}

/** Asks for the state of the whole. */
export function askStatus(url: string, secretKey: string): Promise<Answer> {
  return ask(url, "status", { headers: { apikey: secretKey } });
}

/** Shows `dispatch` a secret: it looks at that first, and then refuses a body that is not JSON. */
export function showDispatch(url: string, secret: string): Promise<Answer> {
  return ask(url, "dispatch", {
    method: "POST",
    headers: { "x-dispatch-secret": secret, "content-type": "text/plain" },
    body: "Is this the secret?",
  });
}

async function ask(url: string, name: FunctionName, request: RequestInit = {}): Promise<Answer> {
  const asked = Date.now();
  try {
    const response = await fetch(`${url}/functions/v1/${name}`, {
      ...request,
      signal: AbortSignal.timeout(LONGEST_ANSWER_MS),
    });
    const middle = (asked + Date.now()) / 2;
    const date = Date.parse(response.headers.get("date") ?? "");
    const body = parse(await response.text());
    return {
      status: response.status,
      isDibs: typeof body?.request_id === "string" || typeof body?.version?.database === "string",
      body,
      // The header has whole seconds, cut off.
      aheadMs: Number.isNaN(date) ? null : date + 500 - middle,
    };
  } catch (error) {
    return { status: 0, isDibs: false, body: (error as Error).message, aheadMs: null };
  }
}

function parse(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
