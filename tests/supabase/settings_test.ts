import assert from "node:assert/strict";
import { freshDatabase, type TestDatabase } from "../support/database.ts";

/** A value other than the default for each setting, as text and as PostgreSQL shows it. */
const VALUES: Record<string, [text: string | null, shown: string | null]> = {
  tick_seconds: ["10", "10"],
  wake_debounce: ["2 s", "00:00:02"],
  tasks_per_drain: ["20", "20"],
  max_drains: ["8", "8"],
  max_invocations_per_month: ["400000", "400000"],
  dispatch_work_types: ["{enrichment}", "{enrichment}"],
  drain_batch: ["10", "10"],
  drain_lease_seconds: ["300", "300"],
  max_losses: ["3", "3"],
  keep_ended_tasks: ["30 days", "30 days"],
  keep_dispatches: ["2 days", "2 days"],
  keep_requests: ["2 hours", "02:00:00"],
  keep_cron_runs: ["0", "00:00:00"],
  url_secret: ["my_url", "my_url"],
  dispatch_secret: ["my_secret", "my_secret"],
  failures_before_rest: ["5", "5"],
  shortest_rest: ["1 min", "00:01:00"],
  longest_rest: ["1 hour", "01:00:00"],
  priority_aging: ["5 minutes", "00:05:00"],
  keep_statistics: ["1 year", "1 year"],
};

Deno.test("every setting can be changed by name, and says what it may be", async () => {
  await using db = await freshDatabase();
  const columns = await db.sql`
    select attname as name, col_description(attrelid, attnum) as meaning from pg_attribute
    where attrelid = 'dibs.settings'::regclass and attnum > 1 and not attisdropped`;
  assert.deepEqual(columns.map(({ name }) => name).sort(), Object.keys(VALUES).sort());
  for (const { name, meaning } of columns) {
    assert.ok(meaning?.length > 20, name);
    const [text, shown] = VALUES[name];
    assert.equal(await configure(db, name, text), shown);
    const [settings] = await db.sql`select to_jsonb(s) - 'only_row' as now from dibs.settings s`;
    assert.notEqual(settings.now[name], undefined);
  }
});

for (
  const { setting, value } of [
    { setting: "tick_seconds", value: "60" },
    { setting: "tick_seconds", value: null },
    { setting: "tick_seconds", value: "soon" },
    { setting: "max_drains", value: "99999999999999" },
    { setting: "wake_debounce", value: "-1 s" },
    { setting: "wake_debounce", value: "1 parsec" },
    { setting: "dispatch_work_types", value: "enrichment" },
    { setting: "dispatch_work_types", value: "{enrichment,NULL}" },
    { setting: "url_secret", value: "" },
  ]
) {
  Deno.test(`${setting} cannot be ${value ?? "null"}: what it may be is said, nothing changes`, async () => {
    await using db = await freshDatabase();
    const read = async () => (await db.sql`select * from dibs.settings`)[0];
    const before = await read();
    const [{ meaning }] = await db.sql`
      select col_description(attrelid, attnum) as meaning from pg_attribute
      where attrelid = 'dibs.settings'::regclass and attname = ${setting}`;
    await assert.rejects(configure(db, setting, value), {
      code: "PT400",
      message: `p_value is none that ${setting} can have`,
      hint: meaning,
    });
    assert.deepEqual(await read(), before);
  });
}

Deno.test("a setting that is not known is refused with those that are", async () => {
  await using db = await freshDatabase();
  for (const name of ["max_drain", "only_row", "ctid", null]) {
    await assert.rejects(configure(db, name, "1"), {
      code: "PT400",
      message: "p_setting must be the name of a setting",
      hint: `There are: ${Object.keys(VALUES).join(", ")}.`,
    });
  }
});

async function configure({ sql }: TestDatabase, setting: string | null, value: string | null) {
  const [{ now }] = await sql`select dibs.configure(${setting}, ${value}) as now`;
  return now;
}
