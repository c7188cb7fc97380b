import { join } from "node:path";
import { type Cluster, connectSuperuser } from "./cluster.ts";
import { POOLED_ROLES, startPooler } from "./pooler.ts";

/** What the core of the tests runs in once more, besides read committed without a pooler. */
export const MODES = ["PgBouncer", "repeatable read", "serializable"] as const;

/** The tests of whatever grants, settles and takes back work, in one session or in several. */
export const CORE = new RegExp(
  "^tests/supabase/(claims|commit|dispatch|effects|leases|load|modes|reap_thoughts|" +
    "task_(claim|control|enqueue|lost|races|settle)|thought_(leases|pool)|depend(encies|ents)|recurring)_test.ts$",
);

/** Brings a cluster into a mode; returns how tests reach it then. */
export async function enter(
  mode: typeof MODES[number],
  cluster: Cluster,
  dir: string,
): Promise<Cluster & { stop(): Promise<void> }> {
  await using superuser = connectSuperuser(cluster, "postgres");
  if (mode === "PgBouncer") {
    const password = `password '${cluster.password}'`;
    // Who connects by another role and then becomes these would not keep them from one transaction to the next.
    for (const role of POOLED_ROLES) {
      await superuser.sql.unsafe(`alter role ${role} login ${password}`);
    }
    const { port, stop } = await startPooler(join(dir, "pooler"), cluster);
    return { ...cluster, poolerPort: port, stop };
  }
  await superuser.sql.unsafe(`alter system set default_transaction_isolation = '${mode}'`);
  await superuser.sql`select pg_reload_conf()`;
  return { ...cluster, isolation: mode, stop: () => Promise.resolve() };
}
