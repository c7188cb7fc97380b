// Runs one of Dibs's Deno programs: installs the packages first when they are not there,
// hands every signal on, and leaves with the program's own exit code.
// `npm run` would start Deno through a wrapper that swallows SIGTERM; this does not.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [program, ...args] = process.argv.slice(2);

if (!isInstalled()) install();
run();

/** npm writes what it installed into node_modules/.package-lock.json. */
function isInstalled() {
  const installed = join(root, "node_modules/.package-lock.json");
  if (!existsSync(installed)) return false;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const found = JSON.parse(readFileSync(installed, "utf8")).packages;
  return Object.entries(wanted).every(([path, { version, optional }]) =>
    path === "" || optional || found[path]?.version === version
  );
}

function install() {
  console.error("Installing packages (npm ci) …");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (npm.status !== 0) process.exit(npm.status ?? 1);
}

function run() {
  const deno = spawn(
    join(root, "node_modules/deno/deno"),
    ["run", "--allow-all", "--no-lock", "--quiet", join(root, program), ...args],
    { cwd: root, stdio: "inherit" },
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // A terminal's Ctrl-C reaches Deno by itself; a second copy would read as "stop at once".
    process.on(signal, () => signal === "SIGINT" && process.stdin.isTTY || deno.kill(signal));
  }
  // Whoever started this may end without a word to it, as npm does when it is killed.
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || deno.kill("SIGTERM"), 500).unref();
  deno.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
}
