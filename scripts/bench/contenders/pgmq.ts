import type { ISql, Sql } from "postgres";
import { type Caller, connect, drainOverConnections } from "../calls.ts";
import type { Contender, Payload, Task } from "../contender.ts";

const VISIBILITY_SECONDS = 900;

/** pgmq, from a file the user has: a message that is done goes to its archive. */
export const pgmq: Contender = {
  name: "pgmq",
  keeps: "one row per message in an archive; no fence",
  batches: true,
  priorities: false,
  delays: true,
  types: false,
  async missing() {
    if (Deno.env.get("PGMQ_SQL")) return await readInstaller().then(() => null);
    return "PGMQ_SQL is not set: set it to the path of pgmq's pgmq.sql";
  },
  async install({ superuser }) {
    await superuser.unsafe(await readInstaller());
    await superuser`select pgmq.create('bench')`;
    await superuser.unsafe(`
      grant usage on schema pgmq to postgres;
      grant all on all tables in schema pgmq to postgres;
      grant all on all sequences in schema pgmq to postgres`);
  },
  async open(database) {
    const sql = await connect(database);
    return {
      async enqueue(tasks) {
        const byDelay = [...Map.groupBy(tasks, ({ delaySeconds = 0 }) => delaySeconds)];
        // One statement is its own transaction.
        if (byDelay.length === 1) return await send(sql, tasks, byDelay[0][0]);
        await sql.begin(async (sql) => {
          for (const [delay, tasks] of byDelay) await send(sql, tasks, delay);
        });
      },
      drain: (options) =>
        drainOverConnections(database, (sql) => newCaller(sql, options.batch), options),
      claim: async (batch) => (await read(sql, batch)).length,
      async left() {
        const [{ left }] = await sql`select count(*)::int as left from pgmq.q_bench`;
        return left;
      },
      [Symbol.asyncDispose]: () => sql.end(),
    };
  },
};

interface Message {
  id: string;
  payload: Payload;
}

function newCaller(sql: Sql, batch: number): Caller {
  let held: Message[] = [];
  const finish = async () => {
    if (held.length === 0) return;
    await sql`select pgmq.archive('bench', ${held.map(({ id }) => id)}::bigint[])`;
    held = [];
  };
  return {
    async next() {
      await finish();
      held = await read(sql, batch);
      return held.map(({ payload }) => payload);
    },
    finish,
  };
}

async function read(sql: Sql, batch: number): Promise<Message[]> {
  return await sql<Message[]>`
    select msg_id as id, message as payload
    from pgmq.read('bench', ${VISIBILITY_SECONDS}, ${batch})`;
}

async function send(sql: ISql, tasks: Task[], delay: number): Promise<void> {
  const messages = sql.json(tasks.map(({ payload }) => ({ ...payload })));
  await sql`
    select pgmq.send_batch(
      'bench', array(select jsonb_array_elements(${messages})), ${delay}::int)`;
}

/** The text of pgmq's installation, which is also right where it is no extension. */
async function readInstaller(): Promise<string> {
  const path = Deno.env.get("PGMQ_SQL") ?? "";
  return await Deno.readTextFile(path).catch((error) => {
    throw new Error(`PGMQ_SQL is to be the path of pgmq's pgmq.sql: ${error.message}`);
  });
}
