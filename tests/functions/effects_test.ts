// Effects and completions through the real loop, the data API and the database, where things go wrong.
import { createClient } from "@supabase/supabase-js";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import postgres, { type Sql } from "postgres";
import { createRpc, remoteRpc, type Rpc } from "../../functions/_shared/rpc.ts";
import { testClock } from "../support/clock.ts";
import { HANGS, runLetterWorker } from "../support/letter_worker.ts";
import { lettersOf, makeLetters } from "../support/letters.ts";
import { testStack } from "../support/stack.ts";
import { enqueue, statuses } from "../support/tasks.ts";
import { claimsOn, makeThoughts } from "../support/thoughts.ts";

type TestStack = Awaited<ReturnType<typeof testStack>>;

Deno.test("effects and completions go through whatever is lost on the way", async (t) => {
  await using stack = await testStack({ standIns: false });
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = { [Symbol.asyncDispose]: () => sql.end() };
  await makeLetters(sql);
  const clock = await testClock(sql);
  const rpc = remoteRpc(stack.url, stack.secretKey);
  const { mailUrl } = stack;

  for (const lost of ["write_letter", "effect_begin", "effect_done"]) {
    await t.step(`when each reply to ${lost} is lost once, all is done once`, async () => {
      const ids = [...await enqueue(sql, "letter", 5), ...await makeThoughts(sql, 5)];
      const summaries = await runLetterWorker({ rpc: losing(stack, lost), mailUrl });
      for (const { claimed, completed, lost } of summaries) {
        assert.deepEqual([claimed, completed, lost], [5, 5, 0]);
      }
      assert.deepEqual(await lettersTo(sql, ids), ids.map(() => 1));
      assert.deepEqual(await mailsTo(stack, ids), ids.map(() => 1));
      assert.deepEqual(await statesOf(sql, ids), ids.map(() => "completed"));
    });
  }

  for (
    const { hang, sent, happened, what } of [
      { hang: "after", sent: 1, happened: true, what: "after it sent, and told that it did" },
      {
        hang: "before",
        sent: 0,
        happened: false,
        what: "before it sent, and told that it did not",
      },
    ] as const
  ) {
    await t.step(
      `a worker that was killed ${what}: one email, and the work completes`,
      async () => {
        const ids = [...await enqueue(sql, "letter"), ...await makeThoughts(sql, 1)];
        await runUntilItHangs(stack, hang, ids.length);
        await clock.advance("2 minutes");
        await sql`select reap_tasks()`;
        await sql`select claim_thoughts('{}', 'enrichment', 'reaper')`;
        assert.deepEqual(await mailsTo(stack, ids), ids.map(() => sent));

        await clock.advance("1 hour");
        const parked = await runLetterWorker({ rpc, mailUrl });
        assert.deepEqual(parked.map(({ failed, lost }) => [failed, lost]), [[1, 0], [1, 0]]);
        assert.deepEqual(await statesOf(sql, ids), ids.map(() => "failed"));
        const listed = await sql`select id, parked_at from parked_effects() order by id`;
        assert.deepEqual(listed.map(({ id }) => id), ids.toSorted());
        assert.ok(listed.every(({ parked_at }) => parked_at !== null));

        for (const id of ids) {
          const result = happened ? sql.json({ told: "a person says so" }) : null;
          const [{ again }] =
            await sql`select settle_effect(${id}, 'letter', ${happened}, ${result}) as again`;
          assert.equal(again, true);
        }
        const done = await runLetterWorker({ rpc, mailUrl });
        assert.deepEqual(done.map(({ completed }) => completed), [1, 1]);
        assert.deepEqual(await mailsTo(stack, ids), ids.map(() => 1));
        assert.deepEqual(await lettersTo(sql, ids), ids.map(() => 1));
        assert.deepEqual(await statesOf(sql, ids), ids.map(() => "completed"));
        assert.equal((await sql`select from parked_effects()`).length, 0);
      },
    );
  }
});

/** A client that never hears the first reply to each call of a function for one piece of work. */
function losing({ url, secretKey }: TestStack, lost: string): Rpc {
  const heard = new Set<string>();
  const lossy: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (!String(input).endsWith(`/rpc/${lost}`)) return response;
    const { p_id } = JSON.parse(String(init!.body));
    if (heard.has(p_id)) return response;
    heard.add(p_id);
    await response.body?.cancel();
    throw new TypeError("connection reset");
  };
  return createRpc(createClient(url, secretKey, { global: { fetch: lossy } }));
}

/** Kills a worker once it hangs in so many effects. */
async function runUntilItHangs(stack: TestStack, hang: string, times: number): Promise<void> {
  const worker = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--no-lock",
      "--quiet",
      fileURLToPath(new URL("../support/letter_worker.ts", import.meta.url)),
    ],
    env: {
      SUPABASE_URL: stack.url,
      SUPABASE_SECRET_KEY: stack.secretKey,
      DIBS_MAIL_URL: stack.mailUrl,
      HANG: hang,
    },
    stdout: "piped",
  }).spawn();
  let said = "";
  for await (const text of worker.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (said.split("\n").filter((line) => line === HANGS).length >= times) worker.kill("SIGKILL");
  }
  assert.equal((await worker.status).signal, "SIGKILL", said);
}

async function mailsTo({ mailUrl }: TestStack, ids: string[]): Promise<number[]> {
  const { emails }: { emails: { to: string }[] } = await (await fetch(mailUrl)).json();
  return ids.map((id) => emails.filter(({ to }) => to === `${id}@example.org`).length);
}

async function lettersTo(sql: Sql, ids: string[]): Promise<number[]> {
  const letters = await lettersOf(sql);
  return ids.map((id) => letters.filter((work) => work === id).length);
}

/** Tasks and thoughts alike. */
async function statesOf(sql: Sql, ids: string[]): Promise<string[]> {
  const tasks = await statuses(sql, ids);
  const claims = new Map((await claimsOn(sql)).map((row) => [row.thought_id, row.status]));
  return ids.map((id, i) => {
    const status = claims.get(id);
    return status === undefined ? tasks[i] : status === "succeeded" ? "completed" : status;
  });
}
