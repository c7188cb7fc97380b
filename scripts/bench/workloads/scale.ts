import type { BenchDatabase } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import { withBacklog } from "../loaded.ts";
import type { Cell, Scale } from "../workload.ts";
import { measureClaims } from "./backlog.ts";

const LOADERS = 3;

/** Claim calls on a very long backlog beside a short one, of the same mix as in `backlog`. */
export function scaleCells({ quick }: Scale): Cell[] {
  return (quick ? [5_000, 50_000] : [10_000, 10_000_000]).map((pending) =>
    withBacklog(quick, (_, database) => load(database, pending), {
      workload: "scale",
      name: `${pending.toLocaleString("en")} pending`,
      contenders: [dibs],
      measure: (contender, database) => measureClaims(contender, database, quick ? 20 : 60),
    })
  );
}

/** In the server: so many tasks on their way through a client would take longer than all the rest. */
async function load(database: BenchDatabase, tasks: number): Promise<void> {
  const calls = Math.ceil(tasks / 1000);
  await Promise.all(Array.from({ length: LOADERS }, async (_, loader) => {
    const share = Math.floor((calls + loader) / LOADERS);
    await database.connect().unsafe(`
      do $$
      declare
        v_tasks jsonb := (
          select jsonb_agg(jsonb_build_object('type', 'bench', 'payload', jsonb_build_object('n', n),
            'priority', n % 5, 'run_at', case when n / 5 % 5 = 0 then now() + interval '1 day' end))
          from generate_series(0, 999) n);
      begin
        for turn in 1..${share} loop
          perform count(*) from public.enqueue_tasks(v_tasks);
          commit;
        end loop;
      end $$`);
  }));
}
