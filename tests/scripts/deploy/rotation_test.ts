import { delay } from "@std/async/delay";
import assert from "node:assert/strict";
import { callDispatch } from "../../../scripts/deploy/outside.ts";
import { eventually } from "../../support/eventually.ts";
import { ended, type HostedProject, hostedProject, vaultOf } from "../../support/hosted_project.ts";

const CURRENT = "DIBS_DISPATCH_SECRET";
const NEXT = "DIBS_NEXT_DISPATCH_SECRET";

Deno.test("the dispatch secret is exchanged, and at any moment what the database sends is accepted", async (t) => {
  await using project = await hostedProject();
  const { api } = project;
  const first = await ended(project.deploy());
  assert.equal(first.code, 0, first.said);
  const rotate = (...args: string[]) => ended(project.deploy(["--rotate-secret", ...args]));

  await t.step("a dry run changes nothing", async () => {
    const before = [await vaultOf(project), [...api.secrets]];
    const { code, said } = await rotate("--dry-run");
    assert.equal(code, 0, said);
    assert.match(said, /would exchange it/);
    assert.deepEqual([await vaultOf(project), [...api.secrets]], before);
  });

  await t.step("also where functions run on with the secrets that they had", async () => {
    project.lagMs = 1_500;
    const old = api.secrets.get(CURRENT)!;
    const name = (value?: string) => value && (value === old ? "old" : "new");
    const moments: unknown[] = [];
    await using watched = watch(project, async (request) => {
      const { dibs_dispatch_secret: vault } = await vaultOf(project);
      moments.push([
        request,
        ...[vault, api.secrets.get(CURRENT), api.secrets.get(NEXT)].map(name),
      ]);
    });
    const { code, said } = await rotate();
    assert.equal(code, 0, said);
    assert.deepEqual(await watched.refused(), []);
    assert.deepEqual(moments, [
      ["POST secrets", "old", "old", "new"],
      ["POST secrets", "new", "new", "new"],
      ["DELETE secrets", "new", "new", undefined],
    ]);
    await eventually("the old one is refused", async () => {
      return await callDispatch(project, { "x-dispatch-secret": old }) === 401;
    });
    project.lagMs = 0;
  });

  for (
    const { where, request, after } of [
      { where: "before the functions know a new one", request: "POST secrets", after: 0 },
      { where: "before it becomes the only one", request: "POST secrets", after: 1 },
      { where: "before the next one is forgotten", request: "DELETE secrets", after: 0 },
    ]
  ) {
    await t.step(`interrupted ${where}, it is finished by the next run`, async () => {
      const old = api.secrets.get(CURRENT);
      await using watched = watch(project);
      api.failures.set(request, { status: 403, after });
      const { code, result } = await rotate();
      assert.deepEqual([code, result.failed?.step], [1, "rotation"]);
      api.failures.clear();
      const again = await rotate();
      assert.equal(again.code, 0, again.said);
      assert.deepEqual(await watched.refused(), []);
      assert.notEqual(api.secrets.get(CURRENT), old);
      assert.equal(api.secrets.has(NEXT), false);
      assert.equal((await vaultOf(project)).dibs_dispatch_secret, api.secrets.get(CURRENT));
    });
  }

  await t.step("where the functions never take the new one, the old one stays in use", async () => {
    const old = api.secrets.get(CURRENT);
    project.lagMs = 60_000;
    const { code, result } = await ended(project.deploy(["--rotate-secret", "--wait", "2"]));
    assert.deepEqual([code, result.failed?.step], [1, "rotation"]);
    assert.match(result.failed!.mend, /old one is still in use/);
    assert.deepEqual([api.secrets.get(CURRENT), (await vaultOf(project)).dibs_dispatch_secret], [
      old,
      old,
    ]);
  });

  await t.step("none of them was printed", () => {
    for (const value of project.confidential) assert.ok(!project.printed().includes(value), value);
  });
});

/** Calls dispatch with what the Vault holds, over and over; and looks on whenever a secret is changed. */
function watch(project: HostedProject, look?: (request: string) => Promise<void>) {
  const { api } = project;
  const { changed } = api;
  api.changed = async (request) => {
    await look?.(request);
    await changed(request);
  };
  const statuses: (number | null)[] = [];
  let watching = true;
  const running = (async () => {
    while (watching) {
      const { dibs_dispatch_secret: secret } = await vaultOf(project);
      statuses.push(await callDispatch(project, { "x-dispatch-secret": secret }));
      await delay(50);
    }
  })();
  const stop = async () => {
    watching = false;
    await running;
    api.changed = changed;
  };
  return {
    async refused() {
      await stop();
      assert.ok(statuses.length > 0);
      return statuses.filter((status) => status !== 202);
    },
    [Symbol.asyncDispose]: stop,
  };
}
