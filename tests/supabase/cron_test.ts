import { Cron } from "croner";
import fc from "fast-check";
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../support/database.ts";
import { assertRefused } from "../support/refused.ts";

const next = async (sql: Sql, cron: string, zone: string, after: string | Date) => {
  const [row] = await sql`select dibs.next_cron(${cron}, ${zone}, ${after}) as at`;
  return row.at as Date | null;
};

/** The next so many moments, as `YYYY-MM-DDTHH:MM` of UTC. */
async function series(sql: Sql, cron: string, zone: string, after: string, count: number) {
  const rows = await sql`
    with recursive tick as (
      select dibs.next_cron(${cron}, ${zone}, ${after}) as at, 1 as n
      union all select dibs.next_cron(${cron}, ${zone}, at), n + 1 from tick where n < ${count}
    )
    select at from tick`;
  return rows.map(({ at }) => at.toISOString().slice(0, 16));
}

Deno.test("cron expressions mean what they say", async () => {
  await using db = await freshDatabase();
  // A Friday.
  const from = "2027-01-01T00:00:00Z";
  const meanings: Record<string, string[]> = {
    "* * * * *": ["2027-01-01T00:01", "2027-01-01T00:02"],
    "*/15 * * * *": ["2027-01-01T00:15", "2027-01-01T00:30"],
    "30 9 * * mon-fri": ["2027-01-01T09:30", "2027-01-04T09:30"],
    "0 0 * * fri-sun": ["2027-01-02T00:00", "2027-01-03T00:00"],
    "0 0 * * 7": ["2027-01-03T00:00", "2027-01-10T00:00"],
    "5,10-12,50/5 8 * * *": ["2027-01-01T08:05", "2027-01-01T08:10"],
    "0 12 L * *": ["2027-01-31T12:00", "2027-02-28T12:00"],
    "0 0 29 FEB *": ["2028-02-29T00:00", "2032-02-29T00:00"],
    "0 0 13 * fri": ["2027-01-08T00:00", "2027-01-13T00:00"],
    "0 0 1 */6 *": ["2027-07-01T00:00", "2028-01-01T00:00"],
    "  @hourly ": ["2027-01-01T01:00", "2027-01-01T02:00"],
    "@daily": ["2027-01-02T00:00", "2027-01-03T00:00"],
    "@midnight": ["2027-01-02T00:00", "2027-01-03T00:00"],
    "@weekly": ["2027-01-03T00:00", "2027-01-10T00:00"],
    "@monthly": ["2027-02-01T00:00", "2027-03-01T00:00"],
    "@yearly": ["2028-01-01T00:00", "2029-01-01T00:00"],
    "@annually": ["2028-01-01T00:00", "2029-01-01T00:00"],
  };
  for (const [cron, expected] of Object.entries(meanings)) {
    assert.deepEqual(await series(db.sql, cron, "UTC", from, 2), expected, cron);
  }
  assert.equal(await next(db.sql, "0 0 30 2 *", "UTC", from), null);
});

Deno.test("what clocks leave out is due when they jump, what they show twice the first time", async () => {
  await using db = await freshDatabase();
  const cases: [string, string, string, string[]][] = [
    // Berlin, 2027-03-28: from 02:00 to 03:00, which is 01:00 of UTC.
    ["30 2 * * *", "Europe/Berlin", "2027-03-27T12:00Z", ["2027-03-28T01:00", "2027-03-29T00:30"]],
    ["*/20 2,3 * * *", "Europe/Berlin", "2027-03-27T12:00Z", [
      "2027-03-28T01:00",
      "2027-03-28T01:20",
      "2027-03-28T01:40",
    ]],
    ["30 * * * *", "Europe/Berlin", "2027-03-28T00:00Z", ["2027-03-28T00:30", "2027-03-28T01:30"]],
    // Berlin, 2027-10-31: from 03:00 to 02:00, which is 01:00 of UTC.
    ["30 2 * * *", "Europe/Berlin", "2027-10-30T12:00Z", ["2027-10-31T00:30", "2027-11-01T01:30"]],
    ["30 * * * *", "Europe/Berlin", "2027-10-31T00:00Z", ["2027-10-31T00:30", "2027-10-31T01:30"]],
    // Lord Howe: half an hour. Back from 02:00 to 01:30 on 2027-04-04, 15:00 of UTC the day before.
    ["45 1 * * *", "Australia/Lord_Howe", "2027-04-03T00:00Z", [
      "2027-04-03T14:45",
      "2027-04-04T15:15",
    ]],
    ["45 * * * *", "Australia/Lord_Howe", "2027-04-03T14:00Z", [
      "2027-04-03T14:45",
      "2027-04-03T15:15",
    ]],
    // St John's until 2011: a minute after midnight back into the day before.
    ["30 23 * * *", "America/St_Johns", "2010-11-06T12:00Z", [
      "2010-11-07T02:00",
      "2010-11-08T03:00",
    ]],
    ["30 * * * sat", "America/St_Johns", "2010-11-07T01:30Z", [
      "2010-11-07T02:00",
      "2010-11-07T03:00",
    ]],
    ["30 * * * sun", "America/St_Johns", "2010-11-07T02:00Z", [
      "2010-11-07T04:00",
      "2010-11-07T05:00",
    ]],
    // Santiago jumps at midnight: days begin at 01:00.
    ["0 0 * * *", "America/Santiago", "2027-09-04T12:00Z", [
      "2027-09-05T04:00",
      "2027-09-06T03:00",
    ]],
    // Apia left out the 30th of December 2011.
    ["0 12 * * *", "Pacific/Apia", "2011-12-29T00:00Z", [
      "2011-12-29T22:00",
      "2011-12-30T10:00",
      "2011-12-30T22:00",
    ]],
  ];
  for (const [cron, zone, after, expected] of cases) {
    assert.deepEqual(
      await series(db.sql, cron, zone, after, expected.length),
      expected,
      `${cron} ${zone}`,
    );
  }
});

Deno.test("bad expressions are refused with what is wrong", async () => {
  await using db = await freshDatabase();
  const refusals: Record<string, string> = {
    "* * * *":
      "p_cron must have five fields, minute, hour, day of the month, month and day of the week, not 4",
    "* * * * * *": "p_cron must have five fields",
    "@sometimes": "p_cron must have five fields",
    "": "p_cron must have five fields",
    "60 * * * *": "p_cron: '60' is no minute",
    "* 24 * * *": "p_cron: '24' is no hour",
    "* * 0 * *": "p_cron: '0' is no day of the month",
    "* * * 13 *": "p_cron: '13' is no month",
    "* * * foo *": "p_cron: 'foo' is no month",
    "* * * * 8": "p_cron: '8' is no day of the week",
    "* * * * jan": "p_cron: 'jan' is no day of the week",
    "* L * * *": "p_cron: 'l' is no hour",
    "30-10 * * * *": "p_cron: '30-10' is no minute",
    "*/0 * * * *": "p_cron: '*/0' is no minute",
    "1,,2 * * * *": "p_cron: '' is no minute",
    "1- * * * *": "p_cron: '1-' is no minute",
    "999 * * * *": "p_cron: '999' is no minute",
  };
  for (const [cron, message] of Object.entries(refusals)) {
    await assertRefused(() => next(db.sql, cron, "UTC", new Date()), message);
  }
  await assertRefused(() => db.sql`select dibs.parse_cron(null)`, "p_cron must have five fields");
});

Deno.test("the newest moment there was is found however long ago the first was", async () => {
  await using db = await freshDatabase();
  const until = new Date("2027-06-15T10:30:30Z");
  for (
    const cron of ["* * * * *", "0 * * * *", "0 8 * * *", "0 0 1 * *", "0 0 1 1 *", "0 0 29 2 *"]
  ) {
    const first = (await next(db.sql, cron, "UTC", "2016-01-01T00:00:00Z"))!;
    const [{ newest }] = await db
      .sql`select dibs.newest_cron(${cron}, 'UTC', ${first}, ${until}) as newest`;
    assert.ok(newest <= until, cron);
    assert.ok((await next(db.sql, cron, "UTC", newest))! > until, cron);
  }
});

const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Sydney"];

/** A field of a cron expression: all, one, a range, a step, or a list of these. */
function field(least: number, most: number): fc.Arbitrary<string> {
  const value = fc.integer({ min: least, max: most });
  const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
  const step = fc.tuple(fc.oneof(fc.constant("*"), range), fc.integer({ min: 1, max: most }))
    .map(([of, by]) => `${of}/${by}`);
  const part = fc.oneof(value.map(String), range, step);
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant("*") },
    part,
    fc.array(part, { minLength: 2, maxLength: 3 }).map((parts) => parts.join(",")),
  );
}

Deno.test("away from changes of clocks, moments are those of a well-kept library", async () => {
  await using db = await freshDatabase();
  const expression = fc.tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6))
    .map((fields) => fields.join(" "));
  // A day before to two after any change of these zones, clocks differ in what they mean: the tests above say how.
  const isCalm = (cron: string, zone: string, at: Date | null, after: Date) => {
    if (!at) return true;
    const offset = (date: Date) => wall(date, zone) - Math.floor(date.getTime() / 60_000) * 60_000;
    const day = 24 * 3600_000;
    return [after, at].every((moment) =>
      offset(new Date(+moment - 2 * day)) === offset(new Date(+moment + 2 * day))
    ) && cron.length > 0;
  };
  await fc.assert(
    fc.asyncProperty(
      expression,
      fc.constantFrom(...ZONES),
      fc.date({ min: new Date("2024-01-01"), max: new Date("2030-01-01"), noInvalidDate: true }),
      async (cron, zone, after) => {
        const expected = new Cron(cron, { timezone: zone, paused: true }).nextRun(after);
        fc.pre(isCalm(cron, zone, expected, after));
        assert.equal(
          (await next(db.sql, cron, zone, after))?.toISOString(),
          expected?.toISOString(),
        );
      },
    ),
    { numRuns: 400 },
  );
});

/** What clocks of a zone show, as if it were UTC, to the minute. */
function wall(date: Date, zone: string): number {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
  }).formatToParts(date);
  const part = (type: string) => Number(parts.find((p) => p.type === type)!.value);
  return Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"));
}
