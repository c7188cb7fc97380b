/** What a command ends with. `--help` and docs/cli.md say the same. */
export const EXIT = {
  done: 0,
  failed: 1,
  wrongUse: 2,
  nothing: 3,
  unreachable: 4,
} as const;

export const EXIT_HELP =
  "Exit codes: 0 done; 1 failed, or the doctor found something; 2 wrong use;\n" +
  "3 nothing matched, or not found; 4 cannot be reached, or not allowed.";

type ExitCode = typeof EXIT[keyof typeof EXIT];

/** Ends a command: what is wrong, what mends it, and the exit code that says so to programs. */
export class Failure extends Error {
  constructor(readonly code: ExitCode, message: string, readonly hint?: string) {
    super(message);
  }
}
