// The real CLI and a real database, with the Management API stood in for, and functions that run from what
// was uploaded.
import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { configuredFunctions } from "../../scripts/deploy/functions.ts";
import { listMigrations } from "../../scripts/stack/migrations.ts";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { eventually } from "../support/eventually.ts";
import { ended, type HostedProject, hostedProject, vaultOf } from "../support/hosted_project.ts";

const STEPS = ["checks", "migrations", "secrets", "functions", "vault", "schedule", "verification"];
const CHANGES = /^(POST|PUT|PATCH|DELETE) /;

Deno.test("a project is deployed to, works, and stays as it is when that is done again", async (t) => {
  await using project = await hostedProject();
  const { api, sql, stack } = project;
  const env = { DIBS_MAIL_URL: stack.mailUrl, DIBS_MAIL_FROM: "It's Dibs <dibs@example.org>" };
  const names = (await configuredFunctions()).map(({ name }) => name);

  await t.step("a dry run tells every step, and changes nothing", async () => {
    const before = await state(project);
    const { code, result, said } = await ended(project.deploy(["--dry-run"], env));
    assert.equal(code, 0, said);
    assert.deepEqual(result.steps.map(({ step }) => step), STEPS);
    assert.deepEqual([result.ok, result.dry_run], [true, true]);
    assert.match(said, new RegExp(`would apply ${(await listMigrations()).length} migrations`));
    assert.match(said, /would set DIBS_DISPATCH_SECRET, DIBS_MAIL_URL, DIBS_MAIL_FROM\n/);
    assert.match(said, new RegExp(`would deploy ${names.join(", ")}\n`));
    assert.match(said, /would make dibs_project_url\n[^]*would make dibs_dispatch_secret\n/);
    assert.deepEqual(await state(project), before);
  });

  await t.step("the deployment itself verifies what it did", async () => {
    const { code, result, said } = await ended(project.deploy([], env));
    assert.equal(code, 0, said);
    assert.deepEqual(result.steps.map(({ step }) => step), STEPS);
    assert.deepEqual(result.verified.map(({ passed }) => passed), Array(5).fill(true));
    assert.match(
      said,
      /refused +by functions and data API, without a key and with the publishable key/,
    );
    assert.match(said, /its call was answered, and a tick noted that/);
  });

  await t.step("migrations, secrets, Vault and schedule are there", async () => {
    const versions = (await listMigrations()).map(({ name }) => name.split("_")[0]);
    const applied = await sql`select version from supabase_migrations.schema_migrations order by 1`;
    assert.deepEqual(applied.map(({ version }) => version), versions);
    assert.match(api.secrets.get("DIBS_DISPATCH_SECRET")!, /^[0-9a-f]{64}$/);
    assert.equal(api.secrets.get("DIBS_MAIL_FROM"), env.DIBS_MAIL_FROM);
    assert.deepEqual(await vaultOf(project), {
      dibs_dispatch_secret: api.secrets.get("DIBS_DISPATCH_SECRET"),
      dibs_project_url: project.url,
    });
    const [{ active }] = await sql`select active from cron.job where jobname = 'dibs-tick'`;
    assert.equal(active, true);
  });

  await t.step(
    "each upload holds just the files its function imports, and opens no other door",
    async () => {
      assert.deepEqual([...api.uploads.keys()].sort(), names.toSorted());
      for (const [slug, { metadata, files }] of api.uploads) {
        const imported = await importsOf(`functions/${slug}/index.ts`);
        assert.deepEqual([...files.keys()].sort(), ["deno.json", ...imported].sort(), slug);
        for (const [path, text] of files) {
          assert.equal(
            text,
            await Deno.readTextFile(new URL(path, new URL(`file://${PROJECT_DIR}`))),
          );
        }
        assert.deepEqual(metadata, {
          name: slug,
          entrypoint_path: `functions/${slug}/index.ts`,
          import_map_path: "deno.json",
          static_patterns: [],
          verify_jwt: false,
        });
      }
    },
  );

  await t.step(
    "the import map is one that the platform's bundler can follow by itself",
    async () => {
      const map = JSON.parse(await Deno.readTextFile(`${PROJECT_DIR}deno.json`));
      for (const [name, target] of Object.entries(map.imports)) {
        assert.match(target as string, /^npm:(@[\w-]+\/)?[\w-]+@\d+\.\d+\.\d+(\/[\w./-]+)?$/, name);
      }
      // Of these it would believe that somebody installed packages beside it.
      for (const setting of ["nodeModulesDir", "vendor", "workspace"]) assert.ok(!(setting in map));
    },
  );

  await t.step("a task enqueued in SQL is done, and nobody called anything by hand", async () => {
    const payload = {
      email: "ada@example.org",
      transcript: "I sleep badly.",
      session_id: "s",
      blueprint_id: "b",
      host_url: "https://example.org",
    };
    const [{ id }] = await sql`
      select create_task('generate_care_plan', ${sql.json(payload)}) as id`;
    await eventually("its completion", async () => {
      const [{ status }] = await sql`select status from public.tasks where id = ${id}`;
      return status === "completed";
    }, 30);
  });

  await t.step("once more, nothing is changed that is as it should be", async () => {
    const before = await state(project);
    api.requests.length = 0;
    const { code, said } = await ended(project.deploy([], env));
    assert.equal(code, 0, said);
    assert.deepEqual(api.requests.filter((request) => CHANGES.test(request)), []);
    assert.deepEqual(await state(project), before);
    assert.match(said, /the database is up to date/);
    assert.match(said, /kept DIBS_DISPATCH_SECRET, DIBS_MAIL_URL, DIBS_MAIL_FROM\n/);
    assert.match(said, /deployed already/);
  });

  await t.step("what was deployed by hand meanwhile is deployed again", async () => {
    api.requests.length = 0;
    api.deployByHand();
    const { code, said } = await ended(project.deploy([], env));
    assert.equal(code, 0, said);
    assert.ok(api.requests.includes("PUT functions"));
  });

  await t.step(
    "a file of secrets goes along, whatever is in it but what is Dibs's own",
    async () => {
      const file = await Deno.makeTempFile();
      await Deno.writeTextFile(
        file,
        '# for handlers\nMODEL_KEY="sk-a b#c"\nDIBS_DISPATCH_SECRET=mine\nSUPABASE_URL=https://no.example\n',
      );
      const { code, said } = await ended(project.deploy(["--env-file", file], env));
      await Deno.remove(file);
      assert.equal(code, 0, said);
      assert.equal(api.secrets.get("MODEL_KEY"), "sk-a b#c");
      assert.notEqual(api.secrets.get("DIBS_DISPATCH_SECRET"), "mine");
      assert.equal(api.secrets.has("SUPABASE_URL"), false);
    },
  );

  await t.step(
    "a database that is a copy of another project's gets a secret of its own",
    async () => {
      const last = api.secrets.get("DIBS_DISPATCH_SECRET");
      api.secrets.delete("DIBS_DISPATCH_SECRET");
      await sql`
      select vault.update_secret(id, 'https://parent.example') from vault.secrets
      where name = 'dibs_project_url'`;
      const { code, said } = await ended(project.deploy([], env));
      assert.equal(code, 0, said);
      assert.match(said, /a copy of https:\/\/parent\.example/);
      assert.notEqual(api.secrets.get("DIBS_DISPATCH_SECRET"), last);
      assert.deepEqual(await vaultOf(project), {
        dibs_dispatch_secret: api.secrets.get("DIBS_DISPATCH_SECRET"),
        dibs_project_url: project.url,
      });
    },
  );

  await t.step("in all of that nothing confidential was printed", () => {
    for (const value of project.confidential.filter((value) => value.length > 8)) {
      assert.ok(!project.printed().includes(value), value);
    }
  });
});

Deno.test("docs/deploy.md tells every step, in order", async () => {
  const text = await Deno.readTextFile(join(PROJECT_DIR, "docs/deploy.md"));
  const [, table] = text.split("\n| step ");
  const told = table.split("\n\n")[0].matchAll(/^\| `(\w+)` /gm);
  assert.deepEqual(Array.from(told, ([, step]) => step), STEPS);
});

/** Everything that a deployment may change. */
async function state({ sql, api }: HostedProject) {
  const [{ objects }] = await sql`
    select array_agg(o order by o) as objects from (
      select oid::regprocedure || ' ' || xmin as o from pg_proc where pronamespace = 'public'::regnamespace
      union all
      select oid::regclass || ' ' || xmin from pg_class
      where relnamespace::regnamespace::text in ('public', 'dibs', 'supabase_migrations')
    ) o`;
  return {
    objects,
    vault: [...await sql`select name, updated_at from vault.secrets order by name`],
    jobs: [...await sql`select * from cron.job order by jobname`],
    secrets: [...api.secrets],
    uploads: [...api.uploads.keys()],
  };
}

/** The files of this repository that a module needs, itself included. */
async function importsOf(module: string): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-lock", module],
    cwd: PROJECT_DIR,
    stderr: "null",
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout));
  return (modules as { specifier: string }[])
    .filter(({ specifier }) => specifier.startsWith("file:"))
    .map(({ specifier }) => relative(PROJECT_DIR, fileURLToPath(specifier)))
    .filter((path) => !path.startsWith("node_modules/"));
}
