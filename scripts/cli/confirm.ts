import { EXIT, Failure } from "./exit_codes.ts";
import { plain } from "./text.ts";

/** Asks on a terminal; where nobody can be asked, `--yes` has to be given. */
export async function confirm(question: string, yes: boolean | undefined): Promise<void> {
  if (yes) return;
  if (!Deno.stdin.isTerminal() || !Deno.stderr.isTerminal()) {
    throw new Failure(EXIT.wrongUse, `${question} Nobody is there to be asked: give --yes.`);
  }
  await Deno.stderr.write(new TextEncoder().encode(`${plain(question)} [y/N] `));
  const buffer = new Uint8Array(1024);
  const read = await Deno.stdin.read(buffer);
  const answer = new TextDecoder().decode(buffer.subarray(0, read ?? 0)).trim().toLowerCase();
  if (answer !== "y" && answer !== "yes") throw new Failure(EXIT.failed, "Nothing was changed.");
}
