import { type Stack, type StackOptions, startStack } from "../../scripts/stack/stack.ts";

/** The environment variable that holds the {@link SharedStack}, as JSON. */
export const STACK_VARIABLE = "DIBS_TEST_STACK";

/** The environment variable that names another Deno for the functions of every stack. */
export const FUNCTIONS_DENO_VARIABLE = "DIBS_TEST_FUNCTIONS_DENO";

/** A stack that other tests use too, at the same time. */
export type SharedStack = Pick<
  Stack,
  | "url"
  | "databaseUrl"
  | "adminDatabaseUrl"
  | "secretKey"
  | "publishableKey"
  | "dispatchSecret"
  | "mailUrl"
>;

/**
 * The stack `npm test` started for all tests. Keep apart from the others' data by work types,
 * task types and worker ids of your own, and stop nothing of it.
 */
export function sharedStack(): SharedStack {
  const stack = Deno.env.get(STACK_VARIABLE);
  if (stack) return JSON.parse(stack);
  throw new Error("This test needs a stack. Run it as `npm test -- <part of its file name>`.");
}

/** A stack of a test's own, in a folder that goes with it: `await using stack = await testStack()`. */
export async function testStack(options: StackOptions = {}): Promise<Stack & AsyncDisposable> {
  const stateDir = await Deno.makeTempDir({ prefix: "dibs-test-stack-" });
  await using parts = new AsyncDisposableStack();
  parts.defer(() => Deno.remove(stateDir, { recursive: true }));
  const functions = { deno: Deno.env.get(FUNCTIONS_DENO_VARIABLE), ...options.functions };
  const stack = await startStack({ port: 0, stateDir, ...options, functions });
  parts.defer(stack.stop);
  const all = parts.move();
  // Not a spread of the stack: its pids are read anew each time.
  return Object.assign(stack, { [Symbol.asyncDispose]: () => all.disposeAsync() });
}
