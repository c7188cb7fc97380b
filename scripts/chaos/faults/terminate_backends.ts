import { connected } from "../connection.ts";
import type { Fault } from "../fault.ts";

const CALL_MS = 5_000;

/** Some of the workers' and the API's database connections are cut, whatever they were doing. */
export const terminateBackends: Fault = {
  name: "terminate_backends",
  percent: 10,
  async inject({ stack }, random) {
    await connected(stack.databaseUrl, async (sql) => {
      const found = await sql<{ pid: number }[]>`
        select pid from pg_stat_activity
        where backend_type = 'client backend' and usename = 'postgres' and application_name <> 'chaos'
        order by pid`;
      const pids = random.shuffled(found.map(({ pid }) => pid)).slice(0, random.whole(1, 5));
      await sql`select pg_terminate_backend(pid) from unnest(${pids}::int[]) pid`;
    }, CALL_MS).catch(() => {});
  },
};
