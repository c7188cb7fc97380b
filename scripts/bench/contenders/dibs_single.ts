import type { Contender } from "../contender.ts";
import { dibs, openDibs, toItem } from "./dibs.ts";

/** Dibs with every task enqueued by a call of its own: no runs to begin with. */
export const dibsSingle: Contender = {
  ...dibs,
  name: "dibs_single",
  open(database) {
    return openDibs(database, async (sql, tasks) => {
      await sql.begin((sql) =>
        tasks.map(toItem).map(({ type, payload, priority = 0, run_at = null }) =>
          sql`select public.create_task(${type}, ${sql.json(payload)}, ${priority}, ${run_at})`
        )
      );
    });
  },
};
