import { randomBytes } from "node:crypto";

/** What a stack keeps secret; made once and kept with its data. */
export interface Secrets {
  databasePassword: string;
  secretKey: string;
  publishableKey: string;
  /** Opens the dispatch function, and nothing else. */
  dispatchSecret: string;
  /** Signs the tokens of users for the data API, whose own default everybody knows. */
  jwtSecret: string;
}

/** The secrets in `file`; those that are not there yet are made. */
export async function loadSecrets(file: string): Promise<Secrets> {
  const kept = JSON.parse(await Deno.readTextFile(file).catch(() => "{}"));
  const secrets: Secrets = {
    databasePassword: random(),
    secretKey: `sb_secret_${random()}`,
    publishableKey: `sb_publishable_${random()}`,
    dispatchSecret: random(),
    jwtSecret: random(),
    ...kept,
  };
  await Deno.writeTextFile(file, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  return secrets;
}

function random(): string {
  return randomBytes(24).toString("base64url");
}
