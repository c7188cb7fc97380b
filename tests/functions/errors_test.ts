import assert from "node:assert/strict";
import { ApiError, ERRORS } from "../../functions/_shared/errors.ts";

const ALLOWED = [400, 401, 404, 405, 409, 413, 415, 422, 429, 503];

Deno.test("no error of ours has another status than those that are documented", () => {
  for (const { status } of Object.values(ERRORS)) assert.ok(ALLOWED.includes(status));
});

const table: [string, number, string, number, boolean][] = [
  // SQLSTATE, HTTP status of the data API, our code, our status, worth a repeat
  ["PT400", 400, "bad_request", 400, false],
  ["PT404", 404, "not_found", 404, false],
  ["PT409", 409, "conflict", 409, false],
  ["22P02", 400, "bad_request", 400, false],
  ["22P05", 400, "bad_request", 400, false],
  ["22023", 400, "bad_request", 400, false],
  ["22003", 400, "bad_request", 400, false],
  ["54001", 500, "bad_request", 400, false],
  ["23505", 409, "conflict", 409, false],
  ["23514", 400, "unprocessable", 422, false],
  ["P0001", 400, "unprocessable", 422, false],
  ["42501", 403, "misconfigured", 503, false],
  ["42883", 404, "misconfigured", 503, false],
  ["PGRST202", 404, "misconfigured", 503, false],
  ["PGRST301", 401, "misconfigured", 503, false],
  ["PGRST003", 504, "unavailable", 503, true],
  ["55P03", 500, "unavailable", 503, true],
  ["40001", 500, "unavailable", 503, true],
  ["40P01", 500, "unavailable", 503, true],
  ["57014", 500, "unavailable", 503, true],
  ["53300", 503, "unavailable", 503, true],
  ["08006", 503, "unavailable", 503, true],
  ["SUP", 500, "unavailable", 503, true],
  ["XX000", 500, "internal", 503, false],
  ["", 0, "unavailable", 503, true],
  ["", 502, "unavailable", 503, true],
  ["", 429, "rate_limited", 429, true],
  ["", 401, "misconfigured", 503, false],
];
for (const [sqlstate, http, code, status, retryable] of table) {
  Deno.test(`the database's ${sqlstate || "silence"} with ${http} becomes ${code}`, () => {
    const error = ApiError.fromDatabase({ code: sqlstate, message: "m" }, http);
    assert.deepEqual([error.code, error.status, error.retryable], [code, status, retryable]);
    assert.equal(error.retryAfterSeconds !== undefined, retryable);
  });
}

Deno.test("a message of the database's own never passes: it may quote a row", () => {
  for (const code of ["23505", "22P02", "P0001", "XX000", "SUP"]) {
    const error = ApiError.fromDatabase(
      { code, message: 'row ("sk-SECRET")', hint: "sk-SECRET" },
      400,
    );
    assert.doesNotMatch(JSON.stringify(error.body("r")), /SECRET/);
  }
});

Deno.test("a refusal of our SQL names the field as it is named over HTTP", () => {
  const error = ApiError.fromDatabase({
    code: "PT400",
    message: "p_outcomes[3].status must be succeeded, failed or released",
    hint: "Send one.",
  }, 400);
  assert.deepEqual(error.body("r-1"), {
    code: "bad_request",
    message: "outcomes[3].status must be succeeded, failed or released",
    details: [{ path: "outcomes[3].status", message: "must be succeeded, failed or released" }],
    hint: "Send one.",
    request_id: "r-1",
  });
});

Deno.test("what nobody foresaw is answered without a word of it", () => {
  const error = ApiError.from(new Error("sk-SECRET"));
  assert.equal(error.code, "internal");
  assert.doesNotMatch(JSON.stringify(error.body("r")), /SECRET/);
});
