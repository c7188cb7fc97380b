import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import assert from "node:assert/strict";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { eventually } from "../support/eventually.ts";
import { type SharedStack, sharedStack } from "../support/stack.ts";

Deno.test("the Python worker finishes the task it is at and hands back the rest", async () => {
  const stack = sharedStack();
  const queue = await enqueue(stack, 3);
  await using worker = startWorker(stack, queue.type);
  assert.equal(await worker.begun(), "0");
  worker.terminate();
  await worker.goOn();
  assert.equal(await worker.code(), 0);
  assert.deepEqual(await queue.tasks(), [
    { status: "completed", attempts: 1, result: { done: 0 }, worker_id: worker.id },
    { status: "pending", attempts: 0, result: null, worker_id: null },
    { status: "pending", attempts: 0, result: null, worker_id: null },
  ]);
});

Deno.test("the Python worker renews its lease while a handler takes longer", async () => {
  const stack = sharedStack();
  const queue = await enqueue(stack, 1);
  await using worker = startWorker(stack, queue.type, 6);
  await worker.begun();
  const first = await queue.leaseEnd();
  await eventually("a second renewal", async () => {
    const ends = await queue.leaseEnd();
    return ends !== null && Date.parse(ends) > Date.parse(first!) + 1_000;
  });
  await worker.goOn();
  await eventually("the outcome", async () => (await queue.tasks())[0].status === "completed");
  assert.equal((await queue.tasks())[0].attempts, 1);
});

Deno.test("the Python worker does not start what was taken from it", async () => {
  const stack = sharedStack();
  const queue = await enqueue(stack, 2);
  await using worker = startWorker(stack, queue.type, 3);
  assert.equal(await worker.begun(), "0");
  await queue.cancel();
  assert.equal(await worker.begun(), "lost");
  await queue.add(7);
  await worker.goOn();
  assert.equal(await worker.begun(), "7");
});

Deno.test("the Python worker reports what a handler throws", async () => {
  const stack = sharedStack();
  const queue = await enqueue(stack, 1, 1);
  await using worker = startWorker(stack, queue.type);
  await worker.begun();
  await worker.goOn("fail");
  await eventually("the failure", async () => (await queue.tasks())[0].status === "failed");
  const { data } = await queue.supabase.from("tasks").select("error").eq("type", queue.type);
  assert.deepEqual(data, [{ error: "ValueError: told to" }]);
});

/** A handler that tells when it begins and when its lease is lost, and ends when it is told to. */
const PROGRAM = `
import os, sys, threading
sys.path.insert(0, "docs/examples")
import worker

def handler(payload, lease):
    print(payload["n"], flush=True)
    def watch():
        lease.lost.wait()
        print("lost", flush=True)
    threading.Thread(target=watch, daemon=True).start()
    if input() == "fail":
        raise ValueError("told to")
    return {"done": payload["n"]}

worker.HANDLERS = {os.environ["TYPE"]: handler}
worker.LEASE_SECONDS = int(os.environ["LEASE_SECONDS"])
worker.WORKER_ID = os.environ["WORKER_ID"]
worker.main()
`;

function startWorker({ url, secretKey }: SharedStack, type: string, leaseSeconds = 60) {
  const id = crypto.randomUUID();
  const child = new Deno.Command("python3", {
    args: ["-c", PROGRAM],
    cwd: PROJECT_DIR,
    env: {
      SUPABASE_URL: url,
      SUPABASE_SECRET_KEY: secretKey,
      PYTHONDONTWRITEBYTECODE: "1",
      TYPE: type,
      LEASE_SECONDS: String(leaseSeconds),
      WORKER_ID: id,
    },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let printed = "";
  return {
    id,
    /** The next line it prints. */
    async begun(): Promise<string> {
      while (!printed.includes("\n")) {
        const { value, done } = await output.read();
        if (done) throw new Error("The worker ended.");
        printed += value;
      }
      const [line, ...rest] = printed.split("\n");
      printed = rest.join("\n");
      return line;
    },
    goOn: (word = "") => input.write(new TextEncoder().encode(`${word}\n`)),
    terminate: () => child.kill("SIGTERM"),
    code: async () => (await child.status).code,
    async [Symbol.asyncDispose]() {
      await input.close().catch(() => {});
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await output.cancel();
      await child.status;
    },
  };
}

/** So many tasks of a type of their own, payloads numbered from 0. */
async function enqueue({ url, secretKey }: SharedStack, size: number, maxAttempts = 5) {
  const supabase: SupabaseClient = createClient(url, secretKey, {
    auth: { persistSession: false },
  });
  const type = crypto.randomUUID();
  const ids: string[] = [];
  const add = async (n: number) => {
    const args = { p_type: type, p_payload: { n }, p_max_attempts: maxAttempts };
    const { data } = await supabase.rpc("create_task", args);
    ids.push(data);
  };
  for (let n = 0; n < size; n++) await add(n);
  return {
    supabase,
    type,
    add,
    cancel: () => supabase.rpc("cancel_tasks", { p_ids: ids }),
    async tasks() {
      const columns = "status,attempts,result,worker_id";
      const { data } = await supabase.from("tasks").select(columns).eq("type", type).order("id");
      return data!;
    },
    async leaseEnd(): Promise<string | null> {
      const { data } = await supabase.from("tasks").select("lease_expires_at").eq("type", type);
      return data![0].lease_expires_at;
    },
  };
}
