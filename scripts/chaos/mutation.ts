import type { Sql } from "postgres";

/** A bug to be planted, so that one sees the verdict turn red. */
export interface Mutation {
  says: string;
  /** The SQL function it sits in, and what becomes what. */
  in: string;
  replace: [from: string, to: string][];
}

export const MUTATIONS: Record<string, Mutation> = {
  settle_without_fence: {
    says: "whoever names a task settles it, wherever it is and whoever holds it",
    in: "dibs.settle_tasks(bigint, jsonb, text)",
    replace: [["v_settled := '{}'", "v_settled := dibs.withdraw(v_named)"]],
  },
  reap_the_living: {
    says: "leases are taken back before they have run out",
    in: "dibs.reap_leases()",
    replace: [["l.expires_at < v_now", "l.expires_at < v_now + interval '1 hour'"]],
  },
  claim_without_deleting: {
    says: "what is claimed is locked, and stays among what waits",
    in: "dibs.take_runs(text, smallint, timestamptz, bigint, timestamptz, int, int, int)",
    replace: [["ctid = any (v_at);", "false;"]],
  },
};

/** Plants it. Fails when the function has changed so much that it cannot. */
export async function plant(sql: Sql, mutation: Mutation): Promise<void> {
  const [{ source }] = await sql`
    select pg_get_functiondef(${mutation.in}::regprocedure) as source`;
  let mutated: string = source;
  for (const [from, to] of mutation.replace) {
    if (!mutated.includes(from)) throw new Error(`${mutation.in} no longer has: ${from}`);
    mutated = mutated.replace(from, () => to);
  }
  await sql.unsafe(mutated);
}
