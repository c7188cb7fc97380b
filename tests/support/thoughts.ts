import type { Sql } from "postgres";

/** The work type of tests that need only one. */
export const WORK = "enrichment";

/** What a claim call grants of one thought. */
export interface GrantedThought {
  thought_id: string;
  fence: string;
  attempt: number;
  lease_expires_at: Date;
  content: string;
  metadata: Record<string, unknown>;
}

/** What a worker says came of a thought. */
export interface ThoughtOutcome {
  id: string;
  status: string;
  error?: string;
  metadata?: Record<string, unknown>;
  permanent?: boolean;
}

/** How a test claims; what it leaves out is filled in. */
interface Claim {
  workType?: string;
  worker?: string;
  seconds?: number;
  maxAttempts?: number;
  requestId?: string;
}

/** Inserts so many thoughts; returns their ids in order. */
export async function makeThoughts(sql: Sql, count: number): Promise<string[]> {
  const rows = await sql`
    insert into public.thoughts (content) select 'thought ' || n from generate_series(1, ${count}) n
    returning id`;
  return rows.map(({ id }) => id).sort();
}

/** `claim_thoughts`; returns what was won, in order. */
export async function claim(
  sql: Sql,
  ids: (string | null)[],
  { workType = WORK, worker = "worker", seconds = 60 }: Claim = {},
): Promise<string[]> {
  const rows = await sql`
    select id from claim_thoughts(${ids}::uuid[], ${workType}, ${worker}, ${seconds}) id`;
  return rows.map(({ id }) => id).sort();
}

/** `claim_named_thoughts` */
export async function claimNamed(
  sql: Sql,
  ids: string[],
  { workType = WORK, worker = "worker", seconds = 60, maxAttempts = 5, requestId }: Claim = {},
): Promise<GrantedThought[]> {
  return [
    ...await sql<GrantedThought[]>`
      select thought_id, fence, attempt, lease_expires_at, content, metadata
      from claim_named_thoughts(
        ${workType}, ${worker}, ${ids}, ${seconds}, ${maxAttempts}, ${requestId ?? null})`,
  ];
}

/** `claim_next_thoughts` */
export async function claimNext(
  sql: Sql,
  limit: number,
  { workType = WORK, worker = "worker", seconds = 60, maxAttempts = 5, requestId }: Claim = {},
): Promise<GrantedThought[]> {
  return [
    ...await sql<GrantedThought[]>`
      select thought_id, fence, attempt, lease_expires_at, content, metadata
      from claim_next_thoughts(
        ${workType}, ${worker}, ${limit}, ${seconds}, ${maxAttempts}, ${requestId ?? null})`,
  ];
}

/** The ids of what was granted, in order. */
export function idsOf(granted: GrantedThought[]): string[] {
  return granted.map(({ thought_id }) => thought_id).sort();
}

/** `release_thought` */
export async function release(
  sql: Sql,
  id: string,
  status: string,
  { workType = WORK, worker = "worker", error }: Claim & { error?: string } = {},
): Promise<boolean> {
  const [{ released }] = await sql`
    select release_thought(${id}, ${workType}, ${worker}, ${status}, ${error ?? null}) as released`;
  return released;
}

/** `settle_lease` */
export async function settle(
  sql: Sql,
  fence: string,
  outcomes: ThoughtOutcome[],
  rest: string | null = null,
): Promise<{ settled: number; lost: string[] }> {
  const [{ settled, lost }] = await sql`
    select * from settle_lease(${fence}, ${sql.json(outcomes as never)}, ${rest})`;
  return { settled, lost };
}

/** `renew_lease`; returns what is still held, in order. */
export async function renew(sql: Sql, fence: string, seconds = 60): Promise<string[]> {
  const rows = await sql`select id from renew_lease(${fence}, ${seconds}) id`;
  return rows.map(({ id }) => id).sort();
}

/** The claims on one thought, or on all, by thought. */
export async function claimsOn(sql: Sql, id: string | null = null) {
  return [
    ...await sql`
      select * from public.thought_work_claims
      where ${id}::uuid is null or thought_id = ${id} order by thought_id, work_type`,
  ];
}
