import { randomBytes } from "node:crypto";

/** What a stack keeps secret; made once and kept with its data. */
export interface Secrets {
  databasePassword: string;
  secretKey: string;
  publishableKey: string;
  /** Opens the dispatch function, and nothing else. */
  dispatchSecret: string;
}

/** The secrets in `file`, made when there are none yet. */
export async function loadSecrets(file: string): Promise<Secrets> {
  const kept = await Deno.readTextFile(file).catch(() => null);
  if (kept) return JSON.parse(kept);
  const secrets: Secrets = {
    databasePassword: random(),
    secretKey: `sb_secret_${random()}`,
    publishableKey: `sb_publishable_${random()}`,
    dispatchSecret: random(),
  };
  await Deno.writeTextFile(file, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  return secrets;
}

function random(): string {
  return randomBytes(24).toString("base64url");
}
