import assert from "node:assert/strict";
import { startMailSink } from "../../../scripts/stack/mail_sink.ts";

const EMAIL = { from: "dibs@example.com", to: "a@example.com", subject: "Plan", text: "…" };

async function withMailSink(test: (sink: Awaited<ReturnType<typeof open>>) => Promise<void>) {
  const file = await Deno.makeTempFile();
  const sink = await open(file);
  await test(sink).finally(() => sink.stop());
  await Deno.remove(file);
}

async function open(file: string) {
  const sink = await startMailSink(file);
  const send = async (email: unknown, key?: string) => {
    const headers = { "content-type": "application/json", ...(key && { "idempotency-key": key }) };
    const body = JSON.stringify(email);
    const response = await fetch(sink.url, { method: "POST", headers, body });
    return { status: response.status, body: await response.json() };
  };
  const read = async () => await (await fetch(sink.url)).json();
  return { ...sink, file, send, read };
}

Deno.test("each email counts as sent, and each recipient once", async () => {
  await withMailSink(async ({ send, read }) => {
    await send(EMAIL);
    await send(EMAIL);
    await send({ ...EMAIL, to: "b@example.com" });
    const { sent, recipients, emails } = await read();
    assert.deepEqual([sent, recipients], [3, 2]);
    assert.equal(emails[2].to, "b@example.com");
  });
});

Deno.test("the same idempotency key gets the first answer and no second delivery", async () => {
  await withMailSink(async ({ send, read }) => {
    const answers = await Promise.all([1, 2, 3].map(() => send(EMAIL, "plan-1")));
    assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
    await send(EMAIL, "plan-2");
    const { sent, absorbed } = await read();
    assert.deepEqual([sent, absorbed], [2, 2]);
  });
});

Deno.test("the record outlives the sink, keys included", async () => {
  await withMailSink(async ({ send, file }) => {
    const { body } = await send(EMAIL, "plan-1");
    const second = await open(file);
    assert.equal((await second.send(EMAIL, "plan-1")).body.id, body.id);
    assert.deepEqual([(await second.read()).sent, (await second.read()).absorbed], [1, 1]);
    await second.stop();
  });
});

Deno.test("what is no email is refused and not counted", async () => {
  await withMailSink(async ({ send, read }) => {
    for (const bad of [null, {}, { ...EMAIL, to: 1 }]) assert.equal((await send(bad)).status, 422);
    assert.equal((await read()).sent, 0);
  });
});
