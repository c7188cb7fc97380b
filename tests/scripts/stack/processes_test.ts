import assert from "node:assert/strict";
import { join } from "node:path";
import { holdPort } from "../../../scripts/stack/ports.ts";
import { startPostgres } from "../../../scripts/stack/postgres.ts";
import { startProgram } from "../../../scripts/stack/processes.ts";
import { scratchProject } from "../../support/project.ts";

Deno.test("a program whose port somebody else serves on does not count as started", async () => {
  await using project = await scratchProject({});
  using held = holdPort();
  const log = join(project.dir, "functions.log");
  const env = { DIBS_SUPABASE_DIR: join(project.dir, "supabase") };
  await assert.rejects(
    startProgram({ program: "functions.ts", port: held.port, env, log }),
    new RegExp(`functions\\.ts did not start[^]*Port ${held.port} is taken by another program`),
  );

  held.release();
  const program = await startProgram({ program: "functions.ts", port: held.port, env, log });
  const answer = await fetch(`http://127.0.0.1:${held.port}/none`);
  assert.equal(answer.status, 404);
  await answer.body?.cancel();
  await program.stop();
});

Deno.test("PostgreSQL keeps to the port it is given, and says when it is taken", async () => {
  const dir = await Deno.makeTempDir({ prefix: "dibs-test-postgres-" });
  using held = holdPort();
  await assert.rejects(
    startPostgres({ dir, port: held.port, password: "secret", settings: { fsync: "off" } }),
    /PostgreSQL did not start[^]*Address already in use/,
  );
  await Deno.remove(dir, { recursive: true });
});
