import { commit } from "../commit.ts";
import type { HandlerContext } from "../handler.ts";
import type { Log } from "../log.ts";
import { once } from "../once.ts";
import type { Rpc } from "../rpc.ts";
import { type Dependency, isRowFence, storageProblem } from "../schemas.ts";
import { PermanentError } from "./failure.ts";
import type { Item, RunContext } from "./work.ts";

/** What a handler sees, made of what the loop and the database offer. */
export function handlerContext(
  { id, attempt, dependencies }: Item & { dependencies?: Dependency[] | null },
  { fence, signal, progress, commit: settleBy }: RunContext,
  { rpc, log }: { rpc: Rpc; log: Log },
): HandlerContext {
  return {
    id,
    fence,
    attempt,
    dependencies: dependencies ?? [],
    signal,
    progress,
    log: log.with({ id, attempt }),
    supabase: rpc.supabase,
    once: async (key, effect, options) => {
      mustHaveUuid(fence);
      return await once(rpc, { fence, id, key }, effect, options);
    },
    commit: async (sqlFunction, args) => {
      mustHaveUuid(fence);
      return await settleBy(() => commit(rpc, { fence, id, signal }, sqlFunction, args));
    },
  };
}

/** The ledger of effects, and completing by a SQL function, know what they are about by its uuid. */
function mustHaveUuid(fence: string): void {
  if (!isRowFence(fence)) return;
  throw new PermanentError("once and commit are for tasks, and for thoughts whose ids are uuids");
}

/** A result that cannot be stored must fail its own item, not the settlement of its neighbours. */
export function mustBeStorable(name: string, value: unknown): void {
  const problem = storageProblem(value);
  if (problem) throw new PermanentError(`the ${name} the handler returned ${problem}`);
}
