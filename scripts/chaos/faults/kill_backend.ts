import { connected } from "../connection.ts";
import type { Fault } from "../fault.ts";

const CALL_MS = 5_000;

/** One of PostgreSQL's own processes is gone: the server ends all the others, and recovers from its log. */
export const killBackend: Fault = {
  name: "kill_backend",
  percent: 2,
  async inject({ stack }, random) {
    await connected(stack.databaseUrl, async (sql) => {
      const found = await sql<{ pid: number }[]>`
        select pid from pg_stat_activity
        where backend_type = 'client backend' and usename = 'postgres' and application_name <> 'chaos'
        order by pid`;
      if (found.length > 0) Deno.kill(random.pick(found).pid, "SIGKILL");
    }, CALL_MS).catch(() => {});
  },
};
