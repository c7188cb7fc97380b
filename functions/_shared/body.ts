import { ApiError } from "./errors.ts";

export const LARGEST_BODY = 1024 * 1024;
/** Of a larger body so much is taken in and thrown away: who is still sending hears no answer. */
export const LARGEST_TAKEN = 64 * LARGEST_BODY;
const LONGEST_WAIT_MS = 15_000;

/** The JSON of a request, read no further and waited for no longer than is fair. */
export async function readJson(request: Request): Promise<unknown> {
  checkHeaders(request.headers);
  const bytes = await readBytes(request.body);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new ApiError("bad_request", "The body is not JSON.", {
      hint: "Send one JSON object in UTF-8.",
    });
  }
}

function checkHeaders(headers: Headers): void {
  const type = headers.get("content-type")?.split(";")[0].trim().toLowerCase();
  if (type !== "application/json") throw new ApiError("unsupported_media_type");
  const encoding = headers.get("content-encoding");
  if (encoding && encoding !== "identity") {
    throw new ApiError("unsupported_media_type", "Send the body uncompressed.");
  }
}

async function readBytes(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = body?.getReader();
  const patience = setTimeout(() => reader?.cancel(), LONGEST_WAIT_MS);
  try {
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
      size += next.value.byteLength;
      if (size <= LARGEST_BODY) chunks.push(next.value);
      if (size > LARGEST_TAKEN) break;
    }
  } catch {
    // The runtimes have a name each for a sender that has gone.
    throw new ApiError("bad_request", "The body breaks off.", { hint: "Send it again, whole." });
  } finally {
    clearTimeout(patience);
    reader?.cancel().catch(() => {});
  }
  if (size > LARGEST_BODY) throw tooLarge();
  return join(chunks, size);
}

function join(chunks: Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

function tooLarge(): ApiError {
  return new ApiError(
    "payload_too_large",
    `The body is over ${LARGEST_BODY} bytes: send less at once.`,
  );
}
