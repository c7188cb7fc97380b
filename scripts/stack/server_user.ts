// PostgreSQL refuses to run as root. Where the stack is started as root (a container, most
// often), its server runs as `nobody`, which every Linux has: no account is added.

/**
 * Below a directory only root can enter (/root, mktemp -d), `nobody` needs leave to pass. The
 * secure bit makes access(2), by which PostgreSQL looks for its programs, heed that leave.
 */
const PASSING_ANY_DIRECTORY = [
  "--inh-caps=+dac_override",
  "--ambient-caps=+dac_override",
  "--securebits=+no_setuid_fixup",
];

/** The command that runs `command`, on files below `dir`, as a user PostgreSQL accepts. */
export async function asServerUser(command: string[], dir: string): Promise<string[]> {
  if (Deno.uid() !== 0) return command;
  const [uid, gid] = await Promise.all([idOf("-u"), idOf("-g")]);
  const prefix = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  for (const leave of [[], PASSING_ANY_DIRECTORY]) {
    const reach = ["stat", `${dir}/.`, `${import.meta.dirname}/.`];
    if (await succeeds([...prefix, ...leave, ...reach])) return [...prefix, ...leave, ...command];
  }
  throw new Error(
    `PostgreSQL does not run as root, and its stand-in user "nobody" cannot reach ${dir}. ` +
      "Run Dibs as an ordinary user, or from a directory that every user can enter.",
  );
}

/** Makes `path` (a file, or a directory that is made when missing) the server user's own. */
export async function giveToServerUser(path: string): Promise<void> {
  if (!await Deno.stat(path).catch(() => null)) await Deno.mkdir(path, { recursive: true });
  await Deno.chmod(path, 0o700);
  if (Deno.uid() === 0) await Deno.chown(path, await idOf("-u"), await idOf("-g"));
}

async function idOf(flag: "-u" | "-g"): Promise<number> {
  const { stdout } = await new Deno.Command("id", { args: [flag, "nobody"] }).output();
  return Number(new TextDecoder().decode(stdout));
}

async function succeeds([command, ...args]: string[]): Promise<boolean> {
  return (await new Deno.Command(command, { args, stderr: "null" }).output()
    .catch(() => ({ success: false }))).success;
}
