import assert from "node:assert/strict";
import postgres from "postgres";
import { choosePort } from "../../../scripts/stack/ports.ts";
import { runCommand } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import { ended, hostedProject, REF } from "../../support/hosted_project.ts";

/** Something that is not as it must be, and what a deployment says of it. */
interface Fault {
  what: string;
  env?: Record<string, string>;
  args?: string[];
  plant?(): unknown;
  mend?(): unknown;
  step: string;
  /** What was done before. */
  done: string[];
  says: RegExp;
}

Deno.test("what stops a deployment is told with its mend, and the next run goes on from there", async (t) => {
  await using project = await hostedProject();
  const { api, sql, stack, databaseUrl } = project;
  const admin = postgres(stack.adminDatabaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = { [Symbol.asyncDispose]: () => admin.end() };
  const nobody = databaseUrl.replace(/:\d+\//, `:${choosePort()}/`);
  const failing = (request: string, status: number) => ({
    plant: () => api.failures.set(request, { status }),
    mend: () => api.failures.clear(),
  });
  const refusing = (routine: string) => ({
    plant: () => admin.unsafe(`revoke execute on function ${routine} from postgres, service_role`),
    mend: () => admin.unsafe(`grant execute on function ${routine} to postgres`),
  });
  const upTo = (...done: string[]) => done;

  const faults: Fault[] = [
    {
      what: "no database answers",
      env: { SUPABASE_DB_URL: nobody },
      step: "checks",
      done: upTo(),
      says: /project not paused\?/,
    },
    {
      what: "the password is wrong",
      env: { SUPABASE_DB_PASSWORD: "wrong password" },
      step: "checks",
      done: upTo(),
      says: /the database's password\?/,
    },
    {
      what: "the access token is none",
      env: { SUPABASE_ACCESS_TOKEN: "sbp_short" },
      step: "checks",
      done: upTo(),
      says: /40 characters/,
    },
    {
      what: "the access token is not valid",
      env: { SUPABASE_ACCESS_TOKEN: `sbp_${"0".repeat(40)}` },
      step: "checks",
      done: upTo(),
      says: /make another/,
    },
    {
      what: "there is no such project",
      ...failing("GET secrets", 404),
      step: "checks",
      done: upTo(),
      says: /project ref right\?/,
    },
    {
      what: "a file of secrets is not there",
      args: ["--env-file", "/nowhere/at/all"],
      step: "checks",
      done: upTo(),
      says: /line NAME=value/,
    },
    {
      what: "a table tasks is in the way",
      plant: () => sql`create table public.tasks (id int)`,
      mend: () => sql`drop table public.tasks`,
      step: "migrations",
      done: upTo("checks"),
      says: /docs\/adopting\.md/,
    },
    {
      what: "secrets may not be set",
      ...failing("POST secrets", 403),
      step: "secrets",
      done: upTo("checks", "migrations"),
      says: /run the same again/,
    },
    {
      what: "the bundler fails",
      ...failing("POST functions/deploy", 500),
      step: "functions",
      done: upTo("checks", "migrations", "secrets"),
      says: /The platform could not/,
    },
    {
      what: "the Vault refuses",
      ...refusing("vault.create_secret(text, text, text, uuid)"),
      step: "vault",
      done: upTo("checks", "migrations", "secrets", "functions"),
      says: /run the same again/,
    },
    {
      what: "pg_cron refuses",
      ...refusing("cron.schedule(text, text, text)"),
      step: "schedule",
      done: upTo("checks", "migrations", "secrets", "functions", "vault"),
      says: /run the same again/,
    },
    {
      what: "the secret key is another project's",
      env: { SUPABASE_SECRET_KEY: "sb_secret_another" },
      args: ["--wait", "2"],
      step: "verification",
      done: upTo("checks", "migrations", "secrets", "functions", "vault", "schedule"),
      says: /secret key the one named default\?/,
    },
    {
      what: "the tick was switched off",
      plant: () => admin`update cron.job set active = false where jobname = 'dibs-tick'`,
      mend: () => admin`update cron.job set active = true where jobname = 'dibs-tick'`,
      args: ["--wait", "2"],
      step: "verification",
      done: upTo("checks", "migrations", "secrets", "functions", "vault", "schedule"),
      says: /cron\.alter_job/,
    },
  ];
  for (const { what, env, args, plant, mend, step, done, says } of faults) {
    await t.step(what, async () => {
      await plant?.();
      const { code, result, said } = await ended(project.deploy(args, env));
      await mend?.();
      assert.deepEqual([code, result.ok, result.failed?.step], [1, false, step], said);
      assert.deepEqual(result.steps.map(({ step }) => step), done);
      assert.match(result.failed!.mend, says);
      assert.ok(said.includes(`Mend: ${result.failed!.mend}`));
      assert.ok(said.includes(`Done before: ${done.join(", ") || "nothing"}.`));
    });
  }

  await t.step("interrupted, it ends after the step it is at, and says what was done", async () => {
    const release = Promise.withResolvers<void>();
    const { changed } = api;
    api.changed = async (request) => {
      if (request === "PUT functions") await release.promise;
      await changed(request);
    };
    api.deployByHand();
    const command = project.deploy();
    await eventually(
      "the functions on their way",
      () => api.requests.at(-1) === "PUT functions",
      60,
    );
    command.child.kill("SIGTERM");
    release.resolve();
    const { code, result, said } = await ended(command);
    api.changed = changed;
    assert.deepEqual([code, result.ok, result.interrupted, result.failed], [
      143,
      false,
      true,
      null,
    ]);
    assert.match(said, /Interrupted\nDone before: checks, migrations, secrets/);
    assert.deepEqual(await command.processes(), []);
  });

  await t.step("then it succeeds", async () => {
    const { code, result, said } = await ended(project.deploy());
    assert.equal(code, 0, said);
    assert.deepEqual([result.ok, result.failed, result.steps.length], [true, null, 7]);
  });

  await t.step(
    "by its password alone, too, through the pooler that the platform names",
    async () => {
      const { code, said } = await ended(project.deploy(["--dry-run"], { SUPABASE_DB_URL: "" }));
      assert.equal(code, 0, said);
      assert.ok(api.requests.includes("GET config/database/pooler"));
    },
  );

  await t.step("in all of that nothing confidential was printed", () => {
    for (const value of project.confidential) assert.ok(!project.printed().includes(value), value);
  });
});

Deno.test("wrong use ends at once with 2, and --help says what is right", async () => {
  const deploy = (...args: string[]) => runCommand("scripts/deploy.ts", args);
  for (
    const args of [
      [],
      ["--project-ref", "https://x.supabase.co"],
      ["--project-ref", REF, "--wait", "long"],
      ["--project-ref", REF, "--project-url", "x.supabase.co"],
      ["--project-ref", REF, "--nonsense"],
    ]
  ) {
    const { output, ended } = deploy(...args);
    assert.equal(await ended, 2, args.join(" "));
    assert.match(output.stderr, /error: /);
    assert.equal(output.stdout, "");
  }
  const { output, ended } = deploy("--help");
  assert.equal(await ended, 0);
  assert.match(output.stdout, /--dry-run[^]+--rotate-secret[^]+SUPABASE_ACCESS_TOKEN[^]+Examples:/);
});
