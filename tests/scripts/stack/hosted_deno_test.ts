import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT_DIR } from "../../../scripts/stack/migrate.ts";
import { scratchProject } from "../../support/project.ts";
import { testStack } from "../../support/stack.ts";

const HOSTED_DENO = join(PROJECT_DIR, "node_modules/deno-hosted/deno");
const VERSION = "export default { fetch: () => new Response(Deno.version.deno) };";

Deno.test("the functions of a stack run on the Deno that is named, as those of a hosted project do", async () => {
  if (!await Deno.stat(HOSTED_DENO).catch(() => null)) {
    if (Deno.env.has("CI")) throw new Error(`There is no ${HOSTED_DENO}: npm ci`);
    return console.error(`NOT RUN ON THE DENO OF HOSTED FUNCTIONS: there is no ${HOSTED_DENO}`);
  }
  await using project = await scratchProject({ functions: { version: VERSION } });
  await using stack = await testStack({
    projectDir: project.dir,
    functions: { deno: HOSTED_DENO },
  });
  const answer = await fetch(`${stack.url}/functions/v1/version`);
  assert.equal(await answer.text(), "2.1.4");
  assert.notEqual(Deno.version.deno, "2.1.4");
});
