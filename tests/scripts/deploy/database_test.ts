import assert from "node:assert/strict";
import { findDatabase } from "../../../scripts/deploy/database.ts";

const REF = "abcdefghijklmnopqrst";
const PLATFORM = { apiUrl: "https://api.example", projectHost: "supabase.co" };
const find = (address?: string, password?: string) =>
  findDatabase({ ref: REF, platform: PLATFORM, api: null, address, password });

Deno.test("the password is taken out of the address, and a connection outside of this machine is encrypted", async () => {
  const address =
    `postgresql://postgres.${REF}:p%40ss@aws-0-eu-central-1.pooler.supabase.com:5432/postgres`;
  assert.deepEqual(await find(address), {
    url:
      `postgresql://postgres.${REF}@aws-0-eu-central-1.pooler.supabase.com:5432/postgres?sslmode=require`,
    password: "p@ss",
  });
  const local = await find("postgresql://postgres@127.0.0.1:54322/postgres", "secret");
  assert.deepEqual(local, {
    url: "postgresql://postgres@127.0.0.1:54322/postgres?sslmode=disable",
    password: "secret",
  });
  const chosen = await find("postgresql://postgres:x@db.example:5432/postgres?sslmode=verify-full");
  assert.match(chosen.url, /\?sslmode=verify-full$/);
});

Deno.test("the door of the pooler that forgets settings between transactions is not taken", async () => {
  const { url } = await find(`postgresql://postgres.${REF}:x@pooler.example:6543/postgres`);
  assert.match(url, /@pooler\.example:5432\//);
});

Deno.test("another project's database is refused", async () => {
  const other = "zyxwvutsrqponmlkjihg";
  for (
    const address of [
      `postgresql://postgres.${other}:x@aws-0-eu-central-1.pooler.supabase.com:5432/postgres`,
      `postgresql://postgres:x@db.${other}.supabase.co:5432/postgres`,
    ]
  ) await assert.rejects(find(address), /is not of the project abcdefghijklmnopqrst/);
  await find(`postgresql://postgres:x@db.${REF}.supabase.co:5432/postgres`);
});

Deno.test("without an address or without a password it says what to set", async () => {
  const wanted = { mend: /SUPABASE_DB_PASSWORD .* or SUPABASE_DB_URL/ };
  await assert.rejects(find(), wanted);
  await assert.rejects(find("postgresql://postgres@db.example/postgres"), wanted);
  await assert.rejects(find("db.example"), { mend: /begins with postgresql/ });
});
