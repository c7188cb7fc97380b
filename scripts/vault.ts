import type { Sql } from "postgres";

/** Makes an entry of the Vault, or gives it another value. One that has it already is left alone. */
export async function keepInVault(sql: Sql, name: string, value: string): Promise<void> {
  const [kept] = await sql`
    select id, decrypted_secret = ${value} as is_same from vault.decrypted_secrets where name = ${name}`;
  if (!kept) await sql`select vault.create_secret(${value}, ${name})`;
  else if (!kept.is_same) await sql`select vault.update_secret(${kept.id}, ${value})`;
}
