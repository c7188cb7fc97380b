// What the loop knows of the work it runs: nothing of tasks or thoughts, only this.
import type { Outcome } from "../schemas.ts";

export type { Outcome };

export interface Item {
  id: string;
  attempt: number;
}

/** Items granted together, under one fence. */
export interface Grant<I extends Item> {
  fence: string;
  leaseMs: number;
  items: I[];
}

/** Outcomes by name, and the outcome of everything else the lease holds (null: it stays leased). */
export interface Report {
  outcomes: Outcome[];
  rest: "succeeded" | null;
}

export interface Settled {
  settled: number;
  lost: string[];
  /** Rows that were edited since they were claimed; nobody wants to know what came of the old content. */
  superseded?: string[];
}

/** A repeat of a call carries the same request id, so that a lost reply strands nothing. */
export interface SourceCall {
  requestId: string;
  signal: AbortSignal;
}

/** Where items come from and their outcomes go. */
export interface Source<I extends Item> {
  claim(limit: number, call: SourceCall): Promise<Grant<I> | null>;
  settle(fence: string, report: Report, call: SourceCall): Promise<Settled>;
  settleAndClaim(
    fence: string,
    report: Report,
    limit: number,
    call: SourceCall,
  ): Promise<Settled & { grant: Grant<I> | null }>;
  /** The ids this lease still holds. */
  renew(fence: string, progress: Record<string, unknown>, signal: AbortSignal): Promise<string[]>;
}

export interface RunContext {
  fence: string;
  /** Aborted when the work must end: timed out, stopping, or somebody else has it now. */
  signal: AbortSignal;
  /** How far it is; the next heartbeat takes it along. */
  progress(value: unknown): void;
  /** Calls what completes this item by itself; when it did, no outcome of it is reported. */
  commit<T>(call: () => Promise<T>): Promise<T>;
}

/** What a success carries, beyond being one. */
export type Finding = Pick<Outcome, "result" | "metadata"> | void;

/** A source, and how to run one of its items. Throwing is failing. */
export interface Work<I extends Item> {
  source: Source<I>;
  run(item: I, context: RunContext): Promise<Finding>;
  timeoutMs(item: I): number;
}
