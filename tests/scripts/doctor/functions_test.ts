// What the doctor says of functions: those of a stack, behind a gateway that can be at fault.
import assert from "node:assert/strict";
import { dispatchSecret } from "../../../scripts/doctor/checks/vault.ts";
import type { Project } from "../../../scripts/doctor/project.ts";
import { findingsOf } from "../../support/doctor.ts";
import { faultyGateway } from "../../support/faulty_gateway.ts";
import { sharedStack } from "../../support/stack.ts";

const ABOUT_FUNCTIONS = [
  "clock",
  "functions",
  "functions_deployed",
  "functions_start",
  "verify_jwt",
  "secret_key",
  "functions_database",
  "functions_version",
];

/** How the hosted platform answers in the place of a function. */
const platform = (status: number, code: string) => () =>
  Response.json({ code, message: "…" }, { status, headers: { "sb-error-code": code } });

/** What the function `status` answered, changed. */
// deno-lint-ignore no-explicit-any -- of any shape
const changed = (change: (body: any) => void) => async (answer: () => Promise<Response>) => {
  const response = await answer();
  const body = await response.json();
  change(body);
  return Response.json(body, { status: response.status });
};

const faults: {
  what: string;
  functions: string[];
  answer: (answer: () => Promise<Response>) => Response | Promise<Response>;
  finds: string;
  says: RegExp;
  mend: RegExp;
}[] = [
  {
    what: "functions that were not deployed",
    functions: ["renew", "drain"],
    answer: platform(404, "NOT_FOUND"),
    finds: "functions_deployed",
    says: /Not deployed: renew, drain\./,
    mend: /^npx supabase functions deploy renew drain --use-api$/,
  },
  {
    what: "functions deployed with verify_jwt, which turns the database away",
    functions: ["dispatch"],
    answer: platform(401, "UNAUTHORIZED_NO_AUTH_HEADER"),
    finds: "verify_jwt",
    says: /verify_jwt is on for dispatch/,
    mend: /^npx supabase functions deploy dispatch --use-api --no-verify-jwt$/,
  },
  {
    what: "a function that does not start",
    functions: ["claim"],
    answer: platform(503, "BOOT_ERROR"),
    finds: "functions_start",
    says: /claim \(503\)/,
    mend: /deploy claim/,
  },
  {
    what: "somebody else's function of that name",
    functions: ["enqueue"],
    answer: () => new Response("hello"),
    finds: "functions_start",
    says: /enqueue \(200\)/,
    mend: /deploy enqueue/,
  },
  {
    what: "functions of another version",
    functions: ["status"],
    answer: changed((body) => body.version &&= { ...body.version, functions: "0.0.9" }),
    finds: "functions_version",
    says: /The functions are 0\.0\.9/,
    mend: /^npx supabase functions deploy --use-api$/,
  },
  {
    what: "functions whose clock is wrong",
    functions: ["claim", "renew", "release", "enqueue", "drain", "dispatch", "status"],
    answer: async (answer) => {
      const { status, body, headers } = await answer();
      const changed = new Headers(headers);
      changed.set("date", new Date(Date.now() + 60_000).toUTCString());
      return new Response(body, { status, headers: changed });
    },
    finds: "clock",
    says: /functions is (59|60|61) seconds ahead of/,
    mend: /clock/,
  },
];

for (const { what, functions, answer, finds, says, mend } of faults) {
  Deno.test(`the doctor finds ${what}`, async () => {
    const stack = sharedStack();
    await using gateway = faultyGateway(stack.url);
    const inputs = { ...stack, url: gateway.url };
    const troubles = async () =>
      (await findingsOf(inputs, ...ABOUT_FUNCTIONS)).filter(({ severity }) =>
        severity === "warning" || severity === "error"
      );
    assert.deepEqual(await troubles(), []);
    for (const name of functions) gateway.faults.set(name, answer);
    const [finding, ...others] = await troubles();
    assert.deepEqual([finding.id, others], [finds, []]);
    assert.match(finding.says, says);
    assert.match(Object.values(finding.mend!)[0], mend);
    gateway.faults.clear();
    assert.deepEqual(await troubles(), []);
  });
}

Deno.test("the doctor finds functions that do not reach the database", async () => {
  const stack = sharedStack();
  await using gateway = faultyGateway(stack.url);
  gateway.faults.set("status", () =>
    Response.json(
      { code: "misconfigured", message: "Dibs is not set up completely here.", request_id: "r" },
      { status: 503 },
    ));
  const [finding] = await findingsOf({ ...stack, url: gateway.url }, "functions_database");
  assert.equal(finding.severity, "error");
  assert.match(finding.says, /not set up completely/);
  assert.deepEqual(finding.mend, { sql: "notify pgrst, 'reload schema';" });
});

const keys: [what: string, key: string, says: RegExp][] = [
  ["an old service_role token", "eyJhbGciOiJIUzI1NiJ9.e30.x", /an old service_role token/],
  ["a publishable key", "sb_publishable_x", /a publishable key/],
  ["a key of another project", "sb_secret_of_another_project", /refuse the secret key/],
];
for (const [what, secretKey, says] of keys) {
  Deno.test(`the doctor finds ${what} in the place of a secret key`, async () => {
    const stack = sharedStack();
    const [finding, ...rest] = await findingsOf(
      { ...stack, secretKey },
      "secret_key",
      "functions_database",
      "functions_version",
    );
    assert.equal(finding.severity, "error");
    assert.match(finding.says, says);
    assert.deepEqual(finding.mend, { command: "export SUPABASE_SECRET_KEY=sb_secret_<key>" });
    assert.deepEqual(rest.map(({ severity }) => severity), ["info", "info"]);
    const [mended] = await findingsOf(stack, "secret_key");
    assert.equal(mended.severity, "ok");
  });
}

Deno.test("where nothing answers, the doctor says so once", async () => {
  const stack = { ...sharedStack(), url: "http://127.0.0.1:1" };
  const [clock, finding, ...rest] = await findingsOf(stack, ...ABOUT_FUNCTIONS);
  assert.equal(clock.severity, "ok");
  assert.equal(finding.severity, "error");
  assert.match(finding.says, /Nothing answers at http:\/\/127\.0\.0\.1:1/);
  for (const { severity, says } of rest) {
    assert.equal(severity, "info");
    assert.match(says, /nothing answers at SUPABASE_URL/);
  }
});

Deno.test("where the database does not answer, the doctor says so once, and looks at the functions", async () => {
  const inputs = {
    ...sharedStack(),
    databaseUrl: "postgresql://postgres:not_to_be_told@127.0.0.1:1/postgres",
  };
  const ids = ["database", "postgres_version", "functions", "grants"];
  const [database, version, functions, grants] = await findingsOf(inputs, ...ids);
  assert.equal(database.severity, "error");
  assert.ok(!JSON.stringify(database).includes("not_to_be_told"));
  assert.equal(functions.severity, "ok");
  for (const { severity, says } of [version, grants]) {
    assert.deepEqual([severity, says], ["info", "Not looked at: the database does not answer."]);
  }
});

Deno.test("this machine's clock being wrong is told, with what sets it", async () => {
  const stack = sharedStack();
  const real = Date.now;
  Date.now = () => real() - 90_000;
  try {
    const [finding] = await findingsOf(stack, "clock");
    assert.equal(finding.severity, "warning");
    assert.match(finding.says, /this machine is 90 seconds behind that of the database/);
    assert.deepEqual(finding.mend, { command: "sudo timedatectl set-ntp true" });
  } finally {
    Date.now = real;
  }
  const [mended] = await findingsOf(stack, "clock");
  assert.equal(mended.severity, "ok");
});

Deno.test("a hosted project is given the secret that its database holds", async () => {
  const stack = sharedStack();
  const hosted = {
    inputs: {
      url: stack.url,
      databaseUrl: "postgresql://postgres.abcdefghijklmnopqrst:x@pooler.example.org/postgres",
    },
    read: () => Promise.resolve({ secret_name: "dibs_dispatch_secret", secret: "not theirs" }),
  };
  const { severity, mend } = await dispatchSecret.look(hosted as unknown as Project);
  assert.equal(severity, "error");
  assert.match(
    (mend as { command: string }).command,
    /^npx supabase secrets set --project-ref abcdefghijklmnopqrst DIBS_DISPATCH_SECRET="\$\(psql /,
  );
});
