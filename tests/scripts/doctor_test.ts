// The doctor on a stack at work: well, then with one fault after the other, each mended as it says.
import assert from "node:assert/strict";
import { delay } from "@std/async/delay";
import postgres from "postgres";
import { examine, type Examined } from "../../scripts/doctor/examine.ts";
import type { Mend } from "../../scripts/doctor/finding.ts";
import { type TestClock, testClock } from "../support/clock.ts";
import { runNpm } from "../support/command.ts";
import { printed, runMend, troublesOf } from "../support/doctor.ts";
import { testStack } from "../support/stack.ts";
import { type Fault, FAULTS, type Patient } from "./doctor/faults.ts";

/** What the faults need that a stack does not usually have. */
const SETTINGS = { wal_level: "logical", max_prepared_transactions: 4 };

Deno.test("the doctor finds what is wrong with a project, and its mends mend it", async (t) => {
  await using stack = await testStack({ postgres: { settings: SETTINGS } });
  await using parts = new AsyncDisposableStack();
  const patient = makePatient(stack, parts);
  // So that it is soon seen what a tick does.
  await patient.sql`select dibs.configure('tick_seconds', '1')`;

  await t.step("a stack at work is well, as JSON and by its exit code", async () => {
    await untilFound(patient, []);
    const { code, out } = await doctor(["--state", stack.stateDir, "--json"]);
    const { ok, worst, findings } = JSON.parse(out.trim().split("\n").at(-1)!);
    assert.deepEqual({ code, ok, worst, lines: out.trim().split("\n").length }, {
      code: 0,
      ok: true,
      worst: "ok",
      lines: 1,
    });
    assert.ok(findings.length > 30);
    assert.deepEqual(findings.filter((finding: object) => "mend" in finding), []);
    const dispatches = await patient.sql`select * from dibs.dispatch`;
    assert.deepEqual([...dispatches], [], "looking at it called dispatch");
  });

  for (const fault of FAULTS) {
    await t.step(fault.what, async () => {
      await fault.plant(patient);
      for (const ids of fault.finds) await mendAll(fault, patient, await untilFound(patient, ids));
      await fault.tidy?.(patient);
      await untilFound(patient, []);
    });
  }

  await t.step("the exit code tells a warning from an error, and the mend is printed", async () => {
    await patient.sql`select dibs.configure('drain_batch', '500')`;
    const warned = await doctor(["--state", stack.stateDir]);
    assert.equal(warned.code, 1, warned.out);
    assert.match(
      warned.out,
      /! settings +.*\n +SQL +select dibs\.configure\('drain_batch', '100'\);/,
    );
    await patient.sql`grant select on dibs.log to anon`;
    const failed = await doctor(["--state", stack.stateDir, "--json"]);
    assert.equal(failed.code, 3, failed.err);
    assert.equal(JSON.parse(failed.out).worst, "error");
    assert.match(failed.err, /✗ grants +anon .*\n +SQL +select dibs\.seal\(\);/);
    assert.ok(!(failed.out + failed.err).includes(stack.secretKey), "it tells a secret");
  });
});

Deno.test("help says what each exit code means, and wrong use ends with 2", async () => {
  const help = await doctor(["--help"]);
  assert.equal(help.code, 0);
  for (
    const part of [
      "--database-url",
      "SUPABASE_SECRET_KEY",
      "3 an error",
      "npm run doctor -- --json",
    ]
  ) {
    assert.ok(help.out.includes(part), part);
  }
  const nowhere = await Deno.makeTempDir();
  const wrong: [string[], RegExp][] = [
    [["--state", nowhere], /no stack runs in .* and no project was given/],
    [["--database-url", "db.example.org"], /postgresql:\/\//],
    [["--mend"], /unknown option/],
  ];
  for (const [args, says] of wrong) {
    const { code, out, err } = await doctor(args);
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, says);
  }
  await Deno.remove(nowhere);
});

function makePatient(stack: Patient["stack"], parts: AsyncDisposableStack): Patient {
  const open = (url: string) => {
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    parts.defer(() => sql.end({ timeout: 0 }));
    return sql;
  };
  const sql = open(stack.databaseUrl);
  let clock: TestClock | null = null;
  return {
    stack,
    sql,
    admin: open(stack.adminDatabaseUrl),
    clock: async () => clock ??= await testClock(sql),
    connect: async () => await open(stack.databaseUrl).reserve(),
  };
}

/** Looks until exactly these are found: some things show only with the next tick. */
async function untilFound({ stack }: Patient, wanted: string[]): Promise<Examined[]> {
  const end = Date.now() + 30_000;
  while (true) {
    const examined = await examine(stack);
    const troubles = troublesOf(examined);
    const ids = troubles.map(({ id }) => id);
    if (String(ids) === String(wanted)) return examined;
    if (Date.now() > end) assert.deepEqual(ids, wanted, JSON.stringify(troubles, null, 2));
    await delay(200);
  }
}

async function mendAll(fault: Fault, patient: Patient, examined: Examined[]): Promise<void> {
  const shown = printed(examined);
  for (const { id, mend } of troublesOf(examined)) {
    const [text] = Object.values(mend!);
    for (const line of text.split("\n")) assert.ok(shown.includes(line), `${id} prints no mend`);
    assert.ok(shown.includes(`docs/operations.md#${id}`));
    const runnable = inFull(mend!, fault, patient);
    if (runnable) await runMend(runnable, patient.stack);
  }
}

/** The mend as a person runs it; null where there is nothing to run. */
function inFull(mend: Mend, fault: Fault, patient: Patient): Mend | null {
  if ("command" in mend) return mend;
  if ("sql" in mend) return { sql: mend.sql.replace(/<[^>]+>/, () => fault.fill!(patient)) };
  const [sql] = (fault.byHand && mend.by_hand.match(fault.byHand)) ?? [];
  return sql ? { sql } : null;
}

async function doctor(args: string[]) {
  const { ended, output } = runNpm("doctor", args);
  const code = await ended;
  return { code, out: output.stdout, err: output.stderr };
}
