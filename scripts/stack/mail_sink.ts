// Stands in for an email provider: takes emails by HTTP, delivers none, and counts what would
// have been delivered in a file of its own, apart from everything Dibs says about itself.

/** A running mail sink. */
export interface MailSink {
  /** Where emails are posted; GET tells what was delivered. */
  url: string;
  stop(): Promise<void>;
}

interface Email {
  from: string;
  to: string;
  subject: string;
  text: string;
}

/** One line of the file: a delivery, or a repeat that its idempotency key absorbed. */
interface Entry {
  kind: "delivered" | "absorbed";
  id: string;
  key: string | null;
  at: string;
  email: Email;
}

/** Starts a mail sink that goes on with the record in `file`; on a free port unless given one. */
export async function startMailSink(file: string, port = 0): Promise<MailSink> {
  const record = await Deno.open(file, { create: true, append: true });
  const entries = await readEntries(file);
  const idOfKey = new Map(entries.map(({ key, id }) => [key, id]));

  /** Written through to the disk before it is answered: what counts as sent stays counted. */
  function post(email: Email, key: string | null): string {
    const first = key === null ? undefined : idOfKey.get(key);
    const id = first ?? crypto.randomUUID();
    const kind = first ? "absorbed" : "delivered";
    const entry: Entry = { kind, id, key, at: new Date().toISOString(), email };
    record.writeSync(new TextEncoder().encode(JSON.stringify(entry) + "\n"));
    record.syncDataSync();
    entries.push(entry);
    idOfKey.set(key, id);
    return id;
  }

  const server = Deno.serve(
    { hostname: "127.0.0.1", port, onListen: () => {} },
    async (request) => {
      const route = `${request.method} ${new URL(request.url).pathname}`;
      if (route === "GET /emails") return Response.json(summarize(entries));
      if (route !== "POST /emails") return problem(404, "Post emails to /emails.");
      const email = await request.json().catch(() => null);
      if (!isEmail(email)) return problem(422, "An email has from, to, subject and text.");
      return Response.json({ id: post(email, request.headers.get("idempotency-key")) });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/emails`,
    async stop() {
      await server.shutdown();
      record.close();
    },
  };
}

async function readEntries(file: string): Promise<Entry[]> {
  const lines = (await Deno.readTextFile(file)).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

function summarize(entries: Entry[]) {
  const delivered = entries.filter(({ kind }) => kind === "delivered");
  return {
    sent: delivered.length,
    recipients: new Set(delivered.map(({ email }) => email.to)).size,
    absorbed: entries.length - delivered.length,
    emails: delivered.map(({ id, key, at, email }) => ({ id, key, at, ...email })),
  };
}

function isEmail(value: unknown): value is Email {
  const fields = ["from", "to", "subject", "text"];
  return fields.every((field) => typeof (value as Record<string, unknown>)?.[field] === "string");
}

function problem(status: number, message: string): Response {
  return Response.json({ code: status === 404 ? "NOT_FOUND" : "INVALID", message }, { status });
}
