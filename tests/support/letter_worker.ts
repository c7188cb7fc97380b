// A worker that sends a letter at most once, by a provider that knows no idempotency keys, and then completes
// by a SQL function. It can be told to hang around the effect, so that it can be killed just there.
import { z } from "zod";
import {
  defineTask,
  defineThoughtWork,
  type HandlerContext,
} from "../../functions/_shared/handler.ts";
import type { Log } from "../../functions/_shared/log.ts";
import { remoteRpc, type Rpc } from "../../functions/_shared/rpc.ts";
import type { Summary } from "../../functions/_shared/schemas.ts";
import { runWorker } from "../../functions/_shared/worker.ts";
import { taskWork } from "../../functions/_shared/worker/tasks.ts";
import { thoughtWork } from "../../functions/_shared/worker/thoughts.ts";
import type { Item, Work } from "../../functions/_shared/worker/work.ts";
import { setting } from "../../scripts/stack/child.ts";
import { WORK } from "./thoughts.ts";

/** What it prints when it hangs. */
export const HANGS = "hangs";

export interface LetterWorker {
  rpc: Rpc;
  mailUrl: string;
  hang?: "before" | "after";
}

/** Does all the letters there are, tasks and thoughts. */
export async function runLetterWorker(worker: LetterWorker): Promise<Summary[]> {
  const terms = { rpc: worker.rpc, log: silent, workerId: "letters", leaseSeconds: 60 };
  const task = defineTask({
    type: "letter",
    payload: z.object({ n: z.int() }),
    run: (_, context) => sendLetter(worker, context),
  });
  const thought = defineThoughtWork({
    workType: WORK,
    run: (_, context) => sendLetter(worker, context),
  });
  const run = <I extends Item>(work: Work<I>) =>
    runWorker(work, { concurrency: 3, batch: 10, leaseSeconds: 60, log: silent, untilEmpty: true });
  return await Promise.all([
    run(taskWork({ ...terms, handlers: new Map([[task.type, task]]) })),
    run(thoughtWork({ ...terms, handler: thought })),
  ]);
}

async function sendLetter(
  { mailUrl, hang }: LetterWorker,
  { id, once, commit }: HandlerContext,
): Promise<void> {
  const letter = { from: "us@example.org", to: `${id}@example.org`, subject: "Hello", text: "…" };
  const told = await once("letter", async () => {
    if (hang === "before") await forever();
    await (await fetch(mailUrl, { method: "POST", body: JSON.stringify(letter) })).body?.cancel();
    if (hang === "after") await forever();
    return { told: letter.to };
  });
  await commit("write_letter", { p_letter: JSON.stringify(told) });
}

function forever(): Promise<never> {
  console.log(HANGS);
  return new Promise(() => {});
}

const silent: Log = { info() {}, error() {}, with: () => silent };

if (import.meta.main) {
  await runLetterWorker({
    rpc: remoteRpc(setting("SUPABASE_URL"), setting("SUPABASE_SECRET_KEY")),
    mailUrl: setting("DIBS_MAIL_URL"),
    hang: setting("HANG") as "before" | "after",
  });
}
