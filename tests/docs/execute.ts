export interface Program {
  program: string;
  args: string[];
  cwd: string;
  env?: Record<string, string>;
}

/** Runs a program with the text as its input. Returns what it printed; throws when it fails. */
export async function execute({ program, ...options }: Program, input: string): Promise<string> {
  const child = new Deno.Command(program, {
    ...options,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program that ends before it has read everything says itself what is wrong.
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const [printed, complaints] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (code === 0) return printed;
  throw new Error(`${program} ended with ${code}:\n${complaints}${printed}`);
}
