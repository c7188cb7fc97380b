/** Values a log line may carry: facts about the work, never its content. */
export type LogFields = Record<string, string | number | boolean | null | undefined | string[]>;

export interface Log {
  info(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** The same log with these fields in every line. */
  with(fields: LogFields): Log;
}

/** One JSON object a line, so that no text in it can start a line of its own. */
export function jsonLog(always: LogFields = {}): Log {
  const write = (level: string, print: (line: string) => void) => (event: string, fields = {}) =>
    print(JSON.stringify({ level, event, ...always, ...fields }));
  return {
    info: write("info", console.log),
    error: write("error", console.error),
    with: (fields) => jsonLog({ ...always, ...fields }),
  };
}
