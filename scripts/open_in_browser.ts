/** Opens an address in the browser of whoever sits here; BROWSER names another. Returns what kept it from that. */
export async function openInBrowser(url: string): Promise<string | null> {
  const chosen = Deno.env.get("BROWSER");
  const [program, ...args] = chosen ? [chosen] : PROGRAMS[Deno.build.os] ?? ["xdg-open"];
  try {
    const { success } = await new Deno.Command(program, {
      args: [...args, url],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return success ? null : `${program} could not open it.`;
  } catch {
    return `There is no ${program} here to open it with; BROWSER names another.`;
  }
}

const PROGRAMS: Partial<Record<typeof Deno.build.os, string[]>> = {
  darwin: ["open"],
  windows: ["cmd", "/c", "start", ""],
};
