/** Opens an address in the browser of whoever sits here, where there is one. */
export async function openInBrowser(url: string): Promise<void> {
  const [program, ...args] = PROGRAMS[Deno.build.os] ?? ["xdg-open"];
  await new Deno.Command(program, {
    args: [...args, url],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output().catch(() => {});
}

const PROGRAMS: Partial<Record<typeof Deno.build.os, string[]>> = {
  darwin: ["open"],
  windows: ["cmd", "/c", "start", ""],
};
