import type { Sql } from "postgres";
import type { TestDatabase } from "./database.ts";

/** A source `letters` whose rows belong to tenants, one for each letter; that of `-` is nobody's. */
export async function letters(db: TestDatabase, tenants: string): Promise<Sql> {
  await db.sql`
    create table public.letters (id bigint generated always as identity primary key, tenant text)`;
  await db.sql`select dibs.create_claim_source('letters', 'public.letters')`;
  await db.sql`select dibs.set_row_key('letters', 'tenant')`;
  await db.sql`
    insert into letters (tenant) select nullif(tenant, '-') from string_to_table(${tenants}, null) tenant`;
  return db.as("service_role");
}

/** Whose the rows are that a claim grants, in order. */
export const tenantsOf = (granted: { row: Record<string, unknown> }[]) =>
  granted.map(({ row }) => row.tenant ?? "-").sort().join("");
