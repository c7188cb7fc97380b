import { join } from "node:path";
import { databaseAddress } from "./postgres.ts";
import type { Secrets } from "./secrets.ts";
import type { Stack } from "./stack.ts";

/** The stack that runs in a folder, whichever process started it; null when none does. */
export async function findStack(
  stateDir: string,
): Promise<Pick<Stack, "url" | "databaseUrl" | "secretKey"> | null> {
  if (!await isLocked(join(stateDir, "lock"))) return null;
  const told = await readJson<{ url: string; databasePort: number }>(stateDir, "stack.json");
  const secrets = await readJson<Secrets>(stateDir, "secrets.json");
  if (!told || !secrets) return null;
  const { databasePassword: password, secretKey } = secrets;
  return {
    url: told.url,
    databaseUrl: databaseAddress({ port: told.databasePort, password }),
    secretKey,
  };
}

/** The lock goes with its holder, so it tells what the files of a stack that was killed do not. */
async function isLocked(path: string): Promise<boolean> {
  const file = await Deno.open(path).catch(() => null);
  if (!file) return false;
  try {
    return !await file.tryLock(false);
  } finally {
    file.close();
  }
}

async function readJson<T>(dir: string, name: string): Promise<T | null> {
  const text = await Deno.readTextFile(join(dir, name)).catch(() => null);
  return text === null ? null : JSON.parse(text);
}
