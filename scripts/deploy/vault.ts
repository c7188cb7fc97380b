import type { Sql } from "postgres";
import { keepInVault } from "../vault.ts";
import type { Deployment, Outcome, Step } from "./deployment.ts";
import { Problem } from "./problem.ts";

/** What the database needs to call dispatch: two entries of the Vault, named by the settings. */
export interface VaultEntries {
  urlName: string;
  secretName: string;
  url: string | null;
  secret: string | null;
}

/** Tells the database whom to call and what with. */
export const vault: Step = { name: "vault", says: "Filling the Vault", run: fill };

async function fill({ sql, url, dispatchSecret, dryRun }: Deployment): Promise<Outcome> {
  const entries = await readVault(sql);
  const wanted = [
    { name: entries.urlName, kept: entries.url, value: url },
    { name: entries.secretName, kept: entries.secret, value: dispatchSecret! },
  ];
  const did: string[] = [];
  for (const { name, kept, value } of wanted) {
    if (kept === value) did.push(`kept ${name}`);
    else if (dryRun) did.push(`would ${kept === null ? "make" : "change"} ${name}`);
    else {
      await keepInVault(sql, name, value);
      did.push(`${kept === null ? "made" : "changed"} ${name}`);
    }
  }
  return { did };
}

/** What the Vault has; before the first deployment nothing, under the names that the settings begin with. */
export async function readVault(sql: Sql): Promise<VaultEntries> {
  const [there] = await sql`
    select to_regclass('vault.decrypted_secrets') as vault, to_regclass('dibs.settings') as settings`;
  if (!there.vault) {
    throw new Problem(
      "The database has no Vault.",
      "Enable it (Dashboard → Database → Extensions: supabase_vault), then run the same again.",
    );
  }
  const settings = there.settings ? await sql`select to_jsonb(s) as row from dibs.settings s` : [];
  const {
    url_secret: urlName = "dibs_project_url",
    dispatch_secret: secretName = "dibs_dispatch_secret",
  } = settings[0]?.row ?? {};
  const entries = await sql`
    select name, decrypted_secret from vault.decrypted_secrets where name in (${urlName}, ${secretName})`;
  const valueOf = (name: string) =>
    entries.find((entry) => entry.name === name)?.decrypted_secret ?? null;
  return { urlName, secretName, url: valueOf(urlName), secret: valueOf(secretName) };
}
