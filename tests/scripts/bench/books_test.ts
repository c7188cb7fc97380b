import assert from "node:assert/strict";
import { mock } from "node:test";
import { Books } from "../../../scripts/bench/books.ts";

function drain(tasks: number, executed: number[]): Books {
  const books = new Books(tasks);
  for (const n of executed) books.execute({ n, to: "", subject: "" });
  books.end();
  return books;
}

Deno.test("a drain that executes every task once and leaves none is right", () => {
  drain(3, [2, 0, 1]).check(0);
});

Deno.test("a task executed twice fails the bench, also when the numbers add up", () => {
  assert.throws(() => drain(3, [0, 1, 1]).check(0), /task 1 was executed 2 times/);
  assert.throws(() => drain(3, [0, 1, 1]).check(1), /task 1 was executed 2 times/);
});

Deno.test("a lost task fails the bench", () => {
  assert.throws(() => drain(3, [0, 2]).check(0), /of 3 tasks 2 were executed and 0 are left/);
});

Deno.test("a drain that ends while tasks are left fails the bench", () => {
  assert.throws(() => drain(3, [0, 2]).check(1), /of 3 tasks 2 were executed and 1 are left/);
});

Deno.test("the drain is told to end once all is executed", () => {
  const books = new Books(2);
  books.execute({ n: 0, to: "", subject: "" });
  assert(!books.signal.aborted);
  books.execute({ n: 1, to: "", subject: "" });
  assert(books.signal.aborted);
  books.end();
});

Deno.test("calls of the first tenth, which warm up, do not count", () => {
  const books = new Books(1);
  for (const milliseconds of [900, 1, 2, 3, 4, 5, 6, 7, 8, 9]) books.onCall(milliseconds);
  books.end();
  const { call_p50_ms, call_p99_ms } = books.figures();
  assert.deepEqual([call_p50_ms, call_p99_ms], [5, 9]);
});

Deno.test("the course of a drain says when each twentieth was done, from the first to the last task", () => {
  let now = 0;
  const clock = mock.method(performance, "now", () => now);
  const books = new Books(40);
  for (let n = 0; n < 40; n++) {
    now += n < 20 ? 50 : 100;
    books.execute({ n, to: "", subject: "" });
  }
  now += 1000;
  books.end();
  clock.mock.restore();
  const course = books.course();
  assert.equal(course.length, 20);
  assert.deepEqual([course[0], course[9], course[10], course[19]], [0.1, 1, 1.2, 3]);
});

Deno.test("a drain whose calls nobody noted has no figures for them", () => {
  assert.deepEqual(Object.keys(drain(1, [0]).figures()), ["executed", "tasks_per_second"]);
});
