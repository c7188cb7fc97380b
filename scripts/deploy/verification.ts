import { join } from "node:path";
import { PROJECT_DIR } from "../stack/migrate.ts";
import { closedness } from "./closedness.ts";
import type { Deployment, Outcome, Step, Verified } from "./deployment.ts";
import type { ApiKey } from "./management_api.ts";
import { call, callDispatch } from "./outside.ts";
import { patiently } from "./patiently.ts";
import { Problem } from "./problem.ts";

/** Looks at the project as the world and its own database see it. */
export const verification: Step = { name: "verification", says: "Verifying", run: verify };

async function verify(deployment: Deployment): Promise<Outcome> {
  if (deployment.dryRun) {
    return {
      did: [
        "would ask status with a secret key, and see whether strangers are refused",
        "would call dispatch with its secret, and have the database call it and note the answer",
      ],
    };
  }
  const keys = await findKeys(deployment);
  const verified = [await statusAnswers(deployment, keys.secret)];
  // Where status does not answer, nothing else would say more.
  if (verified[0].passed) {
    verified.push(
      await closedness(deployment, keys.publishable),
      await dispatchOpens(deployment),
      await tickIsScheduled(deployment),
      await tickReachesDispatch(deployment),
    );
  }
  return { did: [], verified };
}

/** The functions take the secret key named default, and no other. */
async function findKeys({ api, confidential }: Deployment) {
  const given = Deno.env.get("SUPABASE_SECRET_KEY") || null;
  // Of one that is given, the publishable key is still good to know.
  const keys = await api?.apiKeys().catch((error) => {
    if (!given) throw error;
  }) ?? [];
  const find = (type: ApiKey["type"]) =>
    keys.find((key) => key.type === type && key.name === "default")?.api_key ?? null;
  const secret = given ?? find("secret");
  if (!secret) {
    throw new Problem(
      "No secret key is known to ask the project with.",
      "Make one named default (Dashboard → Settings → API Keys), and set SUPABASE_SECRET_KEY where " +
        "SUPABASE_ACCESS_TOKEN is not set.",
    );
  }
  return { secret: confidential.keep(secret), publishable: find("publishable") };
}

async function statusAnswers(deployment: Deployment, secretKey: string): Promise<Verified> {
  const { version } = JSON.parse(await Deno.readTextFile(join(PROJECT_DIR, "package.json")));
  const found = await patiently(
    deployment,
    async () => {
      const answer = await call(deployment, "/functions/v1/status", {
        headers: { apikey: secretKey },
      });
      if (answer?.status !== 200) return answer ? `${answer.status} ${answer.text}` : "no answer";
      const { database, functions } = JSON.parse(answer.text).version ?? {};
      return `version ${database} of the database, ${functions} of the functions`;
    },
    (found) => found === `version ${version} of the database, ${version} of the functions`,
  );
  return {
    what: "status answers",
    passed: found.includes(`${version} of the database, ${version} of the functions`),
    found,
    mend:
      "Its log says more: Dashboard → Edge Functions → status → Logs. Is the secret key the one named default?",
  };
}

async function dispatchOpens(deployment: Deployment): Promise<Verified> {
  const headers = { "x-dispatch-secret": deployment.dispatchSecret! };
  const status = await patiently(
    deployment,
    () => callDispatch(deployment, headers),
    (status) => status === 202,
  );
  return {
    what: "dispatch opens to its secret",
    passed: status === 202,
    found: status === null ? "no answer" : `${status}`,
    mend:
      "Functions that ran before keep the old secret for some minutes. Run the same again then.",
  };
}

async function tickIsScheduled({ sql }: Deployment): Promise<Verified> {
  const [{ cron }] = await sql`select to_regclass('cron.job') as cron`;
  const [job] = cron
    ? await sql`select schedule, active from cron.job where jobname = 'dibs-tick'`
    : [];
  return {
    what: "the tick is scheduled",
    passed: job?.active ?? false,
    found: job ? `${job.schedule}, ${job.active ? "active" : "not active"}` : "no job dibs-tick",
    mend: job
      ? "Switch it on: select cron.alter_job(jobid, active := true) from cron.job where jobname = 'dibs-tick'"
      : "Enable pg_cron and pg_net (Dashboard → Database → Extensions), then run the same again.",
  };
}

/** The database calls dispatch as a tick does when work waits, and the next tick notes the answer. */
async function tickReachesDispatch(deployment: Deployment): Promise<Verified> {
  const { sql } = deployment;
  const [{ id }] = await sql`select dibs.call_dispatch('tick') as id`;
  const dispatch = await patiently(
    deployment,
    async () => (await sql`select state, problem from dibs.dispatch where id = ${id}`)[0],
    ({ state }) => state !== "sent",
  );
  const { state, problem } = dispatch;
  return {
    what: "the database reaches dispatch",
    passed: state === "answered",
    found: state === "answered"
      ? "its call was answered, and a tick noted that"
      : `its call is ${state}${problem ? `: ${problem}` : ", and no tick noted an answer"}`,
    mend:
      "select * from cron.job_run_details order by start_time desc limit 5 tells how ticks end; " +
      "select net.worker_restart() wakes pg_net.",
  };
}
