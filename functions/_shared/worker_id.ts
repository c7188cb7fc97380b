import { hostname } from "node:os";

/** A name for one worker that no other has: host, process, and a random part for containers alike. */
export function newWorkerId(): string {
  const random = crypto.randomUUID().slice(0, 8);
  return `${host().slice(0, 100)}-${Deno.pid}-${random}`;
}

/** The hosted runtime may not tell, or tell nothing printable. */
function host(): string {
  try {
    return hostname().replace(/[^\w.-]/g, "") || "host";
  } catch {
    return "host";
  }
}
