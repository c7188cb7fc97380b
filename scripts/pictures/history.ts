import type { Sql } from "postgres";

const MINUTES = 60;
const TYPES = [
  { type: "render_invoice", each: 46, runSeconds: 0.8, failing: 0.01 },
  { type: "send_contract", each: 18, runSeconds: 0.3, failing: 0.04 },
  { type: "sync_calendar", each: 4, runSeconds: 2.4, failing: 0.09 },
  { type: "transcribe_call", each: 6, runSeconds: 14, failing: 0.02 },
];
const ERRORS = [
  "HTTP 503 Service Unavailable",
  "Error: timeout of 10000 ms exceeded",
  "429 Too Many Requests: retry after 20 s",
  "invalid_grant: the refresh token was revoked",
];

/** The last hour, lived through with a clock that is set back and catches up. */
export async function makeHistory(sql: Sql, begin: () => Promise<void>): Promise<void> {
  const [{ clock }] = await sql`select pg_get_functiondef('dibs.clock()'::regprocedure) as clock`;
  const random = randomFrom(7);
  try {
    await setBack(sql, MINUTES * 60);
    await begin();
    for (let minute = 0; minute < MINUTES; minute++) {
      const wave = 1 + 0.5 * Math.sin(minute / 9) + 0.3 * random();
      await setBack(sql, (MINUTES - minute) * 60);
      for (const { type, each } of TYPES) await enqueue(sql, type, Math.round(each * wave));
      // Paused, so that it waits.
      await enqueue(sql, "index_document", 4);
      for (const one of TYPES) {
        const behind = (MINUTES - minute) * 60 - 4 - 30 * random() * wave;
        await work(sql, one, behind, random);
      }
      await sql`select dibs.tick()`;
    }
  } finally {
    await sql.unsafe(clock);
  }
  for (const { type, each } of TYPES) await enqueue(sql, type, each);
  await sql`select dibs.tick()`;
}

async function enqueue(sql: Sql, type: string, count: number): Promise<void> {
  const tasks = Array.from({ length: count }, (_, n) => ({
    type,
    payload: { number: n },
    max_attempts: 3,
    ...type === "sync_calendar" && { key: ["acme", "globex", "initech"][n % 3] },
  }));
  const made = await sql`select id from enqueue_tasks(${sql.json(tasks)})`;
  await sql`
    update dibs.log set created_at = dibs.clock() where id = any(${made.map(({ id }) => id)})`;
}

async function work(
  sql: Sql,
  { type, runSeconds, failing }: typeof TYPES[number],
  behindSeconds: number,
  random: () => number,
): Promise<void> {
  await setBack(sql, behindSeconds);
  const granted = await sql`
    select id, fence from claim_tasks(${`worker-${type.length % 3 + 1}`}, ${[type]}, 1000, 900)`;
  if (granted.length === 0) return;
  await setBack(sql, behindSeconds - runSeconds * (0.7 + 0.8 * random()));
  const outcomes = granted.filter(() => random() < failing).map(({ id }) => ({
    id,
    status: "failed",
    error: ERRORS[Math.floor(random() * ERRORS.length)],
    permanent: random() < 0.2,
  }));
  await sql`select settle_lease(${granted[0].fence}, ${sql.json(outcomes)}, 'succeeded')`;
}

async function setBack(sql: Sql, seconds: number): Promise<void> {
  await sql.unsafe(`
    create or replace function dibs.clock() returns timestamptz language sql volatile set search_path = ''
      as $$ select clock_timestamp() - interval '${seconds.toFixed(3)} seconds' $$`);
}

/** The same numbers each time, so that pictures change only with the page. */
function randomFrom(seed: number): () => number {
  return () => (seed = seed * 48_271 % 2_147_483_647) / 2_147_483_647;
}
