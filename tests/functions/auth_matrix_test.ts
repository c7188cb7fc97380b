// Every route with every kind of credential in every place where one could show it.
import assert from "node:assert/strict";
import postgres from "postgres";
import type { Stack } from "../../scripts/stack/stack.ts";
import { contents } from "../support/contents.ts";
import {
  type Credential,
  credentialsOf,
  jwksOf,
  newSigner,
  type Slot,
  slotsFor,
} from "../support/credentials.ts";
import { makeSubject, type Route, routesOf } from "../support/routes.ts";
import { testStack } from "../support/stack.ts";

const WANTED = (await Deno.readTextFile(new URL("auth_matrix.txt", import.meta.url)))
  .split("\n").filter((line) => !line.startsWith("#")).join("\n").trim();

/** A credential that is shown to a route, in one place. */
interface Attempt {
  route: Route;
  credential: string;
  slot: Slot;
}

interface Answer {
  attempt: Attempt;
  status: number;
  /** Of a refusal, without the id of the request. */
  told: string;
}

Deno.test("every route answers every credential as auth_matrix.txt says", async (t) => {
  const project = await newSigner();
  // Without stand-ins nothing ticks, so that whatever changes was changed by these requests.
  await using stack = await testStack({
    standIns: false,
    functions: { env: { SUPABASE_JWKS: await jwksOf(project) } },
  });
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = { [Symbol.asyncDispose]: () => sql.end() };
  const routes = routesOf(await makeSubject(sql));
  const credentials = await credentialsOf(stack, project);
  const attempts = routes.flatMap((route) => attemptsAt(route, credentials, stack));
  const { in: opening = [], out = [] } = Object.groupBy(
    attempts,
    (attempt) => isIn(attempt) ? "in" : "out",
  );
  let refusals: Answer[] = [];

  await t.step("what is refused changes no row", async () => {
    const before = await contents(sql);
    refusals = await sendAll(stack, out);
    assert.deepEqual(await contents(sql), before);
  });

  await t.step("each answer is the one in the table", async () => {
    const answers = new Map(refusals.map((answer) => [answer.attempt, answer]));
    for (const attempt of opening) answers.set(attempt, await send(stack, attempt));
    assert.equal(tableOf(attempts.map((attempt) => answers.get(attempt)!)), WANTED);
  });

  await t.step("no function of the interface was left out", async () => {
    const [{ names }] = await sql`select dibs.interface() as names`;
    const called = routes.filter(({ path }) => path.startsWith("/rest/v1/rpc/"));
    assert.deepEqual(called.map(({ name }) => name).sort(), names.toSorted());
  });

  await t.step("what an endpoint says to strangers does not depend on what they show", () => {
    const told = Map.groupBy(
      refusals.filter(({ attempt: { route }, status }) =>
        route.path.startsWith("/functions/") && status === 401
      ),
      // Whoever shows a dispatch secret to dispatch knows that it takes one.
      ({ attempt: { route, slot } }) =>
        route.name === "dispatch" && slot.name === "x-dispatch-secret",
    );
    assert.equal(told.size, 2);
    for (const [, alike] of told) assert.equal(unique(alike.map(({ told }) => told)).length, 1);
  });
});

function attemptsAt(route: Route, credentials: Credential[], stack: Stack): Attempt[] {
  return [
    { route, credential: "none", slot: { name: "nowhere" } },
    ...credentials.flatMap((credential) =>
      slotsFor(credential, stack).map((slot) => ({ route, credential: credential.name, slot }))
    ),
  ];
}

/** What the table says of it. */
function isIn({ route, credential, slot }: Attempt): boolean {
  const [, group = ""] = `\n\n${WANTED}`.split(`\n\n${route.group}\n`);
  const [head, ...lines] = group.split("\n\n")[0].split("\n").map((line) => line.split(/ {2,}/));
  const line = lines.find(([name]) => name === credential);
  return line?.[head.indexOf(slot.name)] === "in";
}

async function sendAll(stack: Stack, attempts: Attempt[]): Promise<Answer[]> {
  const answers: Answer[] = [];
  const rest = attempts.values();
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (const attempt of rest) answers.push(await send(stack, attempt));
  }));
  return answers;
}

async function send({ url }: Stack, attempt: Attempt): Promise<Answer> {
  const { route: { method, path, headers, body: given }, slot } = attempt;
  const body = typeof given === "function" ? given() : given;
  const query = slot.query ? (path.includes("?") ? "&" : "?") + slot.query : "";
  const response = await fetch(url + path + query, {
    method,
    headers: {
      ...headers,
      ...slot.headers,
      ...(body && { "content-type": "application/json" }),
    },
    body: body && JSON.stringify(body),
  });
  const told = (await response.text()).replace(/,"request_id":"[^"]*"/, "");
  return { attempt, status: response.status, told };
}

/** A table for each group: a line for each credential, a column for each place to show it. */
function tableOf(answers: Answer[]): string {
  const groups = Map.groupBy(answers, ({ attempt }) => attempt.route.group);
  const credentials = unique(answers.map(({ attempt }) => attempt.credential));
  const slots = unique(answers.map(({ attempt }) => attempt.slot.name));
  return [...groups].map(([group, inGroup]) => {
    const lines = credentials.map((credential) => [
      credential,
      ...slots.map((name) =>
        cellOf(
          inGroup.filter(({ attempt }) =>
            attempt.credential === credential && attempt.slot.name === name
          ),
        )
      ),
    ]);
    return [group, ...aligned([["", ...slots], ...lines])].join("\n");
  }).join("\n\n");
}

/** Where the routes of a group do not agree, each says so. */
function cellOf(answers: Answer[]): string {
  const said = Map.groupBy(answers, ({ status }) => status < 300 ? "in" : String(status));
  if (said.size < 2) return said.keys().next().value ?? "-";
  return [...said].map(([cell, by]) => `${cell} ${by.map(({ attempt }) => attempt.route.name)}`)
    .join("; ");
}

function aligned(rows: string[][]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, n) => cell.padEnd(widths[n])).join("  ").trimEnd());
}

function unique<T>(values: T[]): T[] {
  return [...new Set(values)];
}
