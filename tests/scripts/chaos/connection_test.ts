import assert from "node:assert/strict";
import { Connection } from "../../../scripts/chaos/connection.ts";
import { freshDatabase } from "../../support/database.ts";

Deno.test("a look at a million items may take longer than the server gives others", async () => {
  await using db = await freshDatabase();
  const connection = new Connection(db.url, { name: "chaos" });
  await using _closed = { [Symbol.asyncDispose]: () => connection.close() };
  const ask = connection.run((sql) => sql`show statement_timeout`, AbortSignal.timeout(10_000));
  const [{ statement_timeout }] = await ask;
  assert.equal(statement_timeout, "1h");
});
