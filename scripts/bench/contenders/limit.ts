import type { Sql } from "postgres";
import { type Caller, connect, drainOverConnections } from "../calls.ts";
import type { Contender, Payload } from "../contender.ts";

/** The least a queue can do: a task that is taken is gone, whatever becomes of its worker. */
export const limit: Contender = {
  name: "limit",
  keeps: "nothing: a crash loses tasks",
  batches: true,
  priorities: false,
  delays: false,
  types: false,
  async install(database) {
    await database.connect()`
      create table task (id bigint generated always as identity primary key, payload jsonb)`;
  },
  async open(database) {
    const sql = await connect(database);
    return {
      async enqueue(tasks) {
        const payloads = tasks.map(({ payload }) => ({ ...payload }));
        await sql`
          insert into task (payload) select jsonb_array_elements(${sql.json(payloads)})`;
      },
      drain: (options) =>
        drainOverConnections(database, (sql) => newCaller(sql, options.batch), options),
      claim: async (batch) => (await newCaller(sql, batch).next([])).length,
      async left() {
        const [{ left }] = await sql`select count(*)::int as left from task`;
        return left;
      },
      [Symbol.asyncDispose]: () => sql.end(),
    };
  },
};

function newCaller(sql: Sql, batch: number): Caller {
  return {
    async next() {
      const tasks = await sql<{ payload: Payload }[]>`
        delete from task where ctid = any (array(
          select ctid from task order by id limit ${batch} for update skip locked))
        returning payload`;
      return tasks.map((task) => task.payload);
    },
    finish: async () => {},
  };
}
