import assert from "node:assert/strict";
import type { Sql } from "postgres";
import type { TestClock } from "../../support/clock.ts";
import type { Command } from "./commands.ts";
import { inOrder } from "./in_order.ts";
import { Refusal } from "./refusal.ts";

/** A model and the database that are to do the same. */
export interface Pair<CallCommand, Call> {
  model: { now: number; readonly questions: unknown[]; moments(): number[] };
  /** What a drawn call means, where there is what there is now. */
  meaningOf(command: CallCommand): Call;
  inDatabase(call: Call): Promise<unknown>;
  /** What must have been answered, having been told what was. */
  inModel(call: Call, seen: unknown): unknown;
  /** Compares everything that is to be seen. */
  look(): Promise<void>;
  /** Whether after every call. */
  looksOften?: boolean;
}

/** Walks through a sequence on both sides. Fails as soon as they differ. */
export async function walk<CallCommand extends { verb: string }, Call>(
  commands: Command<CallCommand>[],
  { sql, clock }: { sql: Sql; clock: TestClock },
  pair: Pair<CallCommand, Call>,
): Promise<void> {
  for (const [n, command] of commands.entries()) {
    try {
      await step(command);
      // What the database chose is asked before anything follows from it.
      if (pair.model.questions.length > 0) await pair.look();
    } catch (error) {
      throw new Error(`in command ${n + 1}, ${command.verb}`, { cause: error });
    }
  }
  await pair.look();

  async function step(command: Command<CallCommand>): Promise<void> {
    if (is(command, "look")) await pair.look();
    else if (is(command, "pass")) await pass(command.ms);
    else if (is(command, "pass_until")) await passUntil(command);
    else if (is(command, "crash")) await crash(command.during);
    else await call(command as CallCommand);
  }

  async function call(command: CallCommand): Promise<void> {
    let call: Call;
    const [, seen] = await inOrder(() => pass(1), () => {
      call = pair.meaningOf(command);
      return outcomeOf(() => pair.inDatabase(call));
    });
    const answer = "answer" in seen ? seen.answer : null;
    assert.deepEqual(seen, await outcomeOf(() => pair.inModel(call, answer)));
    if (pair.looksOften) await pair.look();
  }

  /** Whatever a call did until its connection broke, nothing of it is left. */
  async function crash(command: CallCommand): Promise<void> {
    await inOrder(
      () => pass(1),
      () => sql`begin`,
      () => outcomeOf(() => pair.inDatabase(pair.meaningOf(command))),
      () => sql`rollback`,
    );
  }

  async function passUntil({ nth, ms }: { nth: number; ms: number }): Promise<void> {
    const moments = pair.model.moments().filter((moment) => moment + ms > pair.model.now);
    if (moments.length > 0) await pass(moments[nth % moments.length] + ms - pair.model.now);
  }

  async function pass(ms: number): Promise<void> {
    pair.model.now += ms;
    await clock.advance(`${ms} ms`);
  }
}

function is<Verb extends string>(
  command: { verb: string },
  verb: Verb,
): command is Extract<Command<never>, { verb: Verb }> {
  return command.verb === verb;
}

async function outcomeOf(
  call: () => unknown,
): Promise<{ answer: unknown } | { refused: string }> {
  try {
    return { answer: await call() };
  } catch (error) {
    if (error instanceof Refusal || isRefusal(error)) return { refused: error.code };
    throw error;
  }
}

const isRefusal = (error: unknown): error is { code: string } =>
  error instanceof Error && "code" in error && /^(PT|23)/.test(String(error.code));
