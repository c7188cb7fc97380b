import type { Sql } from "postgres";
import type { BenchDatabase } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import { addThoughts } from "../thoughts.ts";
import type { Cell, Figures, Scale } from "../workload.ts";

const WORKERS = 4;
const BATCH = 100;
const LONGEST_MS = 120_000;

/** A call that was granted something: when it ended, how long it took, how many it got. */
interface Grant {
  at: number;
  milliseconds: number;
  items: number;
}

/** What is claimed until all of it is done. */
interface Pool {
  /** Puts so many there. */
  add(database: BenchDatabase, items: number): Promise<unknown>;
  claims: string;
  claim(sql: Sql, workerId: string): Promise<{ id: string; fence: string }[]>;
  settleAndClaim(
    sql: Sql,
    fence: string,
    workerId: string,
  ): Promise<{ fence: string | null; ids: string[] }>;
}

const THOUGHTS: Pool = {
  add: addThoughts,
  claims: "public.thought_work_claims",
  claim: async (sql, workerId) =>
    await sql`
    select thought_id as id, fence from public.claim_next_thoughts('bench', ${workerId}, ${BATCH})`,
  async settleAndClaim(sql, fence, workerId) {
    const [{ answer }]: { answer: { fence: string | null; thoughts: { id: string }[] } }[] =
      await sql`
        select public.settle_and_claim_thoughts(
          ${fence}, '[]', 'succeeded', 'bench', ${workerId}, ${BATCH}) as answer`;
    return { fence: answer.fence, ids: answer.thoughts.map(({ id }) => id) };
  },
};

const ROWS: Pool = {
  add: ({ superuser }, items) =>
    superuser.unsafe(`
      create table public.documents (id bigint generated always as identity primary key, body text);
      insert into public.documents (body) select 'document number ' || n from generate_series(1, ${items}) n;
      select dibs.create_claim_source('documents', 'public.documents');
      analyze`),
  claims: "public.documents_work_claims",
  claim: async (sql, workerId) =>
    await sql`
    select id, fence from public.claim_next_rows('documents', 'bench', ${workerId}, ${BATCH})`,
  async settleAndClaim(sql, fence, workerId) {
    const [{ answer }]: { answer: { fence: string | null; rows: { id: string }[] } }[] = await sql`
      select public.settle_and_claim_rows(
        ${fence}, '[]', 'succeeded', 'bench', ${workerId}, ${BATCH}) as answer`;
    return { fence: answer.fence, ids: answer.rows.map(({ id }) => id) };
  },
};

/** Claiming and settling the next thoughts until all are done. Only Dibs has them. */
export function nextThoughtsCells(scale: Scale): Cell[] {
  return cellsOf("next_thoughts", THOUGHTS, scale);
}

/** The same with the rows of a table that has bigint keys. */
export function nextRowsCells(scale: Scale): Cell[] {
  return cellsOf("next_rows", ROWS, scale);
}

function cellsOf(
  workload: string,
  pool: Pool,
  { quick, tasks }: Scale,
): Cell[] {
  const sizes = tasks ? [tasks] : quick ? [6_000] : [10_000, 100_000, 1_000_000];
  return sizes.map((items) => ({
    workload,
    name: `W${WORKERS} b${BATCH}, ${items.toLocaleString("en")}`,
    contenders: [dibs],
    measure: (_, database) => measureNext(database, pool, items),
  }));
}

async function measureNext(database: BenchDatabase, pool: Pool, items: number): Promise<Figures> {
  await pool.add(database, items);
  const claimed = new Set<string>();
  const grants: Grant[] = [];
  const began = performance.now();
  const held = await Promise.all(Array.from({ length: WORKERS }, async (_, i) => {
    const worker = newWorker(pool, database.connect(), `worker-${i + 1}`);
    while (true) {
      const asked = performance.now();
      const ids = await worker.next();
      const at = performance.now();
      for (const id of ids) {
        if (claimed.has(id)) throw new Error(`${id} was claimed twice`);
        claimed.add(id);
      }
      if (ids.length > 0) grants.push({ at, milliseconds: at - asked, items: ids.length });
      // Nothing may only mean that another worker is searching.
      if (ids.length === 0 && claimed.size === items) return 0;
      if (at - began > LONGEST_MS) return ids.length;
    }
  }));
  const [{ settled }] = await database.superuser.unsafe(
    `select count(*)::int as settled from ${pool.claims} where status = 'succeeded'`,
  );
  const expected = claimed.size - held.reduce((sum, ids) => sum + ids, 0);
  if (settled !== expected) throw new Error(`of ${expected} ${settled} were settled`);
  return {
    pool: items,
    executed: claimed.size,
    tasks_per_second: claimed.size / (grants[grants.length - 1].at - began) * 1000,
    last_tenth_against_first: rate(grants, 0.9, 0.999) / rate(grants, 0.05, 0.15),
    // Without the waiting for each other when hardly any are left.
    last_tenth_call_against_first: cost(grants, 0, 0.1) / cost(grants, 0.9, 1),
  };
}

function newWorker(pool: Pool, sql: Sql, workerId: string) {
  let fence: string | null = null;
  return {
    /** Settles what it holds and claims the next; the ids of those. */
    async next(): Promise<string[]> {
      if (fence === null) {
        const rows = await pool.claim(sql, workerId);
        fence = rows[0]?.fence ?? null;
        return rows.map(({ id }) => id);
      }
      const answer = await pool.settleAndClaim(sql, fence, workerId);
      fence = answer.fence;
      return answer.ids;
    },
  };
}

/** Items per second between two parts of the way, 0 to 1. */
function rate(grants: Grant[], from: number, to: number): number {
  const part = between(grants, from, to);
  const milliseconds = part[part.length - 1].at - part[0].at;
  return sum(part.slice(1), "items") / milliseconds * 1000;
}

/** Milliseconds that the calls took for each item. */
function cost(grants: Grant[], from: number, to: number): number {
  const part = between(grants, from, to);
  return sum(part, "milliseconds") / sum(part, "items");
}

function between(grants: Grant[], from: number, to: number): Grant[] {
  return grants.slice(Math.floor(from * grants.length), Math.ceil(to * grants.length));
}

function sum(grants: Grant[], figure: "items" | "milliseconds"): number {
  return grants.reduce((total, grant) => total + grant[figure], 0);
}
