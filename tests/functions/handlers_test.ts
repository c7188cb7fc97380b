import assert from "node:assert/strict";
import type { HandlerContext } from "../../functions/_shared/handler.ts";
import { enrichment, generateCarePlan } from "../../functions/handlers/index.ts";

const TRANSCRIPT = "I cannot sleep at night. My back hurts when I walk! " +
  "The new pills help with the pain. Work is fine.";
const PAYLOAD = {
  email: "ada@example.org",
  transcript: TRANSCRIPT,
  session_id: "s 1",
  blueprint_id: "b-1",
  host_url: "https://care.example.org/app",
};

interface Sent {
  headers: Headers;
  email: Record<string, string>;
}

/** Runs against a provider that answers with that status, and keeps what it was sent. */
async function withProvider(status: number, use: (sent: Sent[]) => Promise<void>) {
  const sent: Sent[] = [];
  const provider = async (request: Request) => {
    sent.push({ headers: new Headers(request.headers), email: await request.json() });
    return Response.json({ id: "mail-1", message: "sk-SECRET" }, { status });
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, provider);
  Deno.env.set("DIBS_MAIL_URL", `http://127.0.0.1:${server.addr.port}/emails`);
  Deno.env.set("DIBS_MAIL_KEY", "key-1");
  try {
    await use(sent);
  } finally {
    Deno.env.delete("DIBS_MAIL_URL");
    Deno.env.delete("DIBS_MAIL_KEY");
    await server.shutdown();
  }
}

const context = {
  attempt: 1,
  signal: new AbortController().signal,
  progress() {},
  once: (_key: string, effect: (e: { idempotencyKey: string }) => unknown) =>
    effect({ idempotencyKey: "id:email" }),
} as unknown as HandlerContext;

Deno.test("a care plan is made of what was said, and one email tells where it is", async () => {
  await withProvider(200, async (sent) => {
    const plan = await generateCarePlan.run(PAYLOAD, context) as Record<string, unknown>;
    assert.deepEqual([plan.session_id, plan.blueprint_id], ["s 1", "b-1"]);
    const concerns = plan.concerns as { area: string; said: string[] }[];
    assert.deepEqual(concerns.map(({ area }) => area), ["sleep", "pain", "medication", "movement"]);
    assert.deepEqual(concerns[0].said, ["I cannot sleep at night."]);
    assert.deepEqual(plan.email, { provider_id: "mail-1" });
    assert.equal(sent.length, 1);
    assert.equal(sent[0].headers.get("idempotency-key"), "id:email");
    assert.equal(sent[0].headers.get("authorization"), "Bearer key-1");
  });
});

Deno.test("the email goes to the person and links to the plan", async () => {
  await withProvider(200, async (sent) => {
    await generateCarePlan.run(PAYLOAD, context);
    const { to, from, subject, text } = sent[0].email;
    assert.deepEqual([to, subject], ["ada@example.org", "Your care plan is ready"]);
    assert.ok(from.includes("@"));
    assert.match(text, /https:\/\/care\.example\.org\/app\/sessions\/s%201\/plan/);
    assert.doesNotMatch(text, /hurts/, "what was said stays out of the mail");
  });
});

Deno.test("the same transcript makes the same plan", async () => {
  await withProvider(200, async () => {
    const plans = [
      await generateCarePlan.run(PAYLOAD, context),
      await generateCarePlan.run(PAYLOAD, context),
    ];
    assert.deepEqual(plans[0], plans[1]);
  });
});

for (const [status, name] of [[422, "PermanentError"], [500, "Error"], [429, "Error"]] as const) {
  Deno.test(`a provider that answers ${status} fails the attempt${name === "Error" ? "" : " for good"}, quoting nothing`, async () => {
    await withProvider(status, async () => {
      const message = `the mail provider answered ${status}`;
      await assert.rejects(generateCarePlan.run(PAYLOAD, context), { name, message });
    });
  });
}

Deno.test("a payload without a usable address or link does not fit", async () => {
  for (
    const change of [{ email: "nobody" }, { host_url: "javascript:alert(1)" }, { transcript: "" }, {
      more: 1,
    }]
  ) {
    await assert.rejects(generateCarePlan.run({ ...PAYLOAD, ...change }, context), {
      name: "PermanentError",
    });
  }
});

async function enrich(content: string) {
  const thought = { id: crypto.randomUUID(), attempt: 1, content, metadata: {} };
  const finding = await enrichment.run(thought, context);
  return finding!.metadata.enrichment;
}

Deno.test("a thought is enriched with what it is about", async () => {
  assert.deepEqual(
    await enrich("The garden needs water. The garden is dry and the roses are dying."),
    {
      word_count: 13,
      language: "en",
      keywords: ["garden", "needs", "water", "roses", "dying"],
      summary: "The garden needs water.",
    },
  );
});

Deno.test("the language is guessed by its common words, and not where there are none", async () => {
  const languageOf = async (text: string) =>
    (await enrich(text) as { language: string | null }).language;
  assert.equal(await languageOf("Der Garten ist trocken und die Rosen sind nicht gut."), "de");
  assert.equal(await languageOf("Le jardin est sec et les roses ne sont pas belles."), "fr");
  assert.equal(await languageOf("El jardín es seco y las rosas no son para mí."), "es");
  assert.equal(await languageOf("xylophone 42 zzz"), null);
});

Deno.test("odd thoughts are enriched too", async () => {
  for (const content of ["", "   ", "😀😀😀", "a".repeat(100_000), "one\ntwo\nthree"]) {
    await enrich(content);
  }
});
