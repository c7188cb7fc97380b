// Which project the doctor is told to look at, and whether what the Vault names is that one.
import assert from "node:assert/strict";
import {
  type Inputs,
  isSameProject,
  refOfDatabase,
  urlOf,
} from "../../../scripts/doctor/inputs.ts";
import { findingsOf } from "../../support/doctor.ts";
import { sharedStack } from "../../support/stack.ts";

const ONE = "abcdefghijklmnopqrst";
const TWO = "zyxwvutsrqponmlkjihg";
const hosted = (ref: string) => `https://${ref}.supabase.co`;
const direct = (ref: string) => `postgresql://postgres:x@db.${ref}.supabase.co:5432/postgres`;
const pooled = (ref: string) =>
  `postgresql://postgres.${ref}:x@aws-0-eu-west-1.pooler.supabase.com:5432/postgres`;
const HERE = "http://127.0.0.1:54321";
const DATABASE_HERE = "postgresql://postgres:x@127.0.0.1:54322/postgres";

const cases: [what: string, url: string, inputs: Inputs, same: string][] = [
  ["its own URL", hosted(ONE), { url: hosted(ONE) }, "same"],
  ["the URL of its database", hosted(ONE), { databaseUrl: direct(ONE) }, "same"],
  ["the URL of its database behind the pooler", hosted(ONE), { databaseUrl: pooled(ONE) }, "same"],
  ["its parent, in a branch", hosted(ONE), { databaseUrl: direct(TWO) }, "other"],
  ["its parent, in a branch with a URL", hosted(ONE), { url: hosted(TWO) }, "other"],
  ["a hosted project, in a copy here", hosted(ONE), { databaseUrl: DATABASE_HERE }, "other"],
  ["a hosted project, in a stack here", hosted(ONE), { url: HERE }, "other"],
  ["a stack here, in a hosted project", HERE, { databaseUrl: direct(ONE) }, "other"],
  ["the stack here by another name", "http://localhost:54321", { url: HERE }, "same"],
  ["another stack here", "http://127.0.0.1:54331", { url: HERE }, "other"],
  ["a domain of its own", "https://api.example.org", { url: "https://api.example.org" }, "same"],
  ["a domain, where only the database is known", "https://api.example.org", {
    databaseUrl: direct(ONE),
  }, "unknown"],
  ["a host that only containers know", "http://kong:8000", { url: HERE }, "unknown"],
];
for (const [what, url, inputs, same] of cases) {
  Deno.test(`the Vault names ${what}: ${same}`, () => {
    assert.equal(isSameProject(url, inputs), same);
  });
}

Deno.test("a project has its ref in the address of its database, and its URL follows from that", () => {
  assert.equal(refOfDatabase(direct(ONE)), ONE);
  assert.equal(refOfDatabase(pooled(ONE)), ONE);
  assert.equal(refOfDatabase(DATABASE_HERE), null);
  assert.equal(urlOf({ databaseUrl: pooled(ONE) }), hosted(ONE));
  assert.equal(urlOf({ databaseUrl: DATABASE_HERE }), "https://<ref>.supabase.co");
});

Deno.test("two projects given as one are told apart", async () => {
  const [finding] = await findingsOf({ url: hosted(ONE), databaseUrl: direct(TWO) }, "inputs");
  assert.equal(finding.severity, "error");
  assert.deepEqual(finding.mend, { command: `export SUPABASE_URL=${hosted(TWO)}` });
});

Deno.test("what was not given is told, as is each check that it would have taken", async () => {
  const { databaseUrl, url, secretKey } = sharedStack();
  const given: [Inputs, RegExp][] = [
    [{ url, secretKey }, /^export SUPABASE_DB_URL='postgresql:/],
    [{ databaseUrl, secretKey }, /^export SUPABASE_URL=https:\/\/<ref>/],
    [{ databaseUrl, url }, /^export SUPABASE_SECRET_KEY=sb_secret_<key>$/],
  ];
  for (const [inputs, mend] of given) {
    const [finding] = await findingsOf(inputs, "inputs");
    assert.equal(finding.severity, "warning");
    assert.match((finding.mend as { command: string }).command, mend);
  }
  const [key, grants] = await findingsOf({ url }, "secret_key", "grants");
  assert.match(key.says, /^Not looked at: SUPABASE_SECRET_KEY was not given\.$/);
  assert.match(grants.says, /^Not looked at: the address of the database was not given\.$/);
});
