import type { Fault } from "../fault.ts";

/** Some of the API's database connections are cut, whatever they were doing. */
export const terminateBackends: Fault = {
  name: "terminate_backends",
  weight: 3,
  async inject({ sql }, random) {
    const found = await sql<{ pid: number }[]>`
      select pid from pg_stat_activity
      where backend_type = 'client backend' and usename = 'postgres' and application_name <> 'chaos'
      order by pid`.catch(() => []);
    const pids = random.shuffled(found.map(({ pid }) => pid)).slice(0, random.whole(1, 5));
    await sql`select pg_terminate_backend(pid) from unnest(${pids}::int[]) pid`.catch(() => {});
  },
};
