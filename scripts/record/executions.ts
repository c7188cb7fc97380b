import { type Recorder, write } from "./record.ts";

/** Records when an execution begins and ends; where no record is open, it is only told so. */
export async function recordExecution<T>(
  what: { item: string; attempt: number; fence?: string },
  { file, by }: Recorder,
  run: (isRecorded: boolean) => Promise<T>,
): Promise<T> {
  const execution = crypto.randomUUID();
  const isRecorded = write(file, { kind: "began", execution, by, ...what });
  let succeeded = false;
  try {
    const finding = await run(isRecorded);
    succeeded = true;
    return finding;
  } finally {
    if (isRecorded) write(file, { kind: "ended", execution, succeeded });
  }
}
