import { retry } from "@std/async/retry";
import type { PendingQuery, Row, Sql } from "postgres";

/**
 * A connection that makes a call again when the database refuses it with 40001, as clients have to
 * where transactions are strict. A test cannot begin its own transactions anew, least of all those it
 * holds open beside each other: these are read committed, unless it says otherwise. `isPassing` tells
 * what else a test expects to pass.
 */
export function retrying(
  sql: Sql,
  onRetry: () => void,
  isPassing: (error: unknown) => boolean = isSerializationFailure,
): Sql {
  let inTransaction = false;

  async function run(text: string, call: () => PendingQuery<Row[]>): Promise<unknown> {
    if (inTransaction || /^begin\b/.test(text)) {
      inTransaction = !/^(commit|rollback)\b/.test(text);
      return await (text === "begin" ? sql`begin isolation level read committed` : call());
    }
    return await retry(call, {
      isRetriable: (error: unknown) => isPassing(error) && (onRetry(), true),
      maxAttempts: 100,
      minTimeout: 1,
      maxTimeout: 100,
    });
  }

  /** A query runs once it is waited for; until then it may also become a part of another one. */
  function lazily(text: string, call: () => PendingQuery<Row[]>): PendingQuery<Row[]> {
    let running: Promise<unknown> | undefined;
    const start = () => running ??= run(text, call);
    return Object.assign(call(), {
      then: (...handlers: []) => start().then(...handlers),
      catch: (...handlers: []) => start().catch(...handlers),
      execute: start,
    }) as PendingQuery<Row[]>;
  }

  return new Proxy(sql, {
    apply(target, _, [first, ...rest]) {
      const call = () => Reflect.apply(target, undefined, [first, ...rest]);
      // What is no template is a name or a list of values, for another query.
      return first?.raw ? lazily(first[0], call) : call();
    },
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name !== "unsafe") return value;
      return (text: string, ...rest: unknown[]) =>
        lazily(text, () => Reflect.apply(value, undefined, [text, ...rest]));
    },
  });
}

function isSerializationFailure(error: unknown): boolean {
  return (error as { code?: string } | null)?.code === "40001";
}
