import type { Deployment, Outcome, Step } from "./deployment.ts";

/** The jobs of pg_cron. */
export const schedule: Step = { name: "schedule", says: "Scheduling the tick", run: scheduleTick };

async function scheduleTick({ sql, dryRun }: Deployment): Promise<Outcome> {
  if (dryRun) return { did: ["would run select dibs.schedule()"] };
  const [{ every }] = await sql`select dibs.schedule() as every`;
  return {
    did: [
      every
        ? `pg_cron ticks: ${every}`
        : "there is no pg_cron: have something run select dibs.tick() every few seconds",
    ],
  };
}
