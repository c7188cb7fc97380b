import { delay } from "@std/async/delay";
import { retry } from "@std/async/retry";
import { join } from "node:path";
import { type Guarded, startGuarded } from "../../scripts/stack/guarded.ts";
import { choosePort } from "../../scripts/stack/ports.ts";
import { tail } from "../../scripts/stack/processes.ts";
import { giveToServerUser } from "../../scripts/stack/server_user.ts";
import type { Cluster } from "./cluster.ts";

/** Those who come through a pooler as who they are, by the password of the cluster. */
export const POOLED_ROLES = ["postgres", "supabase_admin", "anon", "authenticated", "service_role"];

/**
 * Starts a PgBouncer in transaction mode before every database of a cluster, with so many server
 * connections for each database and role. It ends with this process, also when that is killed.
 */
export async function startPooler(
  dir: string,
  cluster: Cluster,
  { connections = 80 } = {},
): Promise<{ port: number; stop: Guarded["stop"] }> {
  const program = await findProgram();
  await giveToServerUser(dir);
  const [settings, users, log] = ["pgbouncer.ini", "users", "log"].map((name) => join(dir, name));
  await write(users, POOLED_ROLES.map((role) => `"${role}" "${cluster.password}"`));
  // Between choosing a port and binding it, another program may take it.
  return await retry(async () => {
    const port = choosePort();
    await write(settings, [
      "[databases]",
      `* = host=127.0.0.1 port=${cluster.port}`,
      "[pgbouncer]",
      "pool_mode = transaction",
      `default_pool_size = ${connections}`,
      "max_client_conn = 1000",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = scram-sha-256",
      `auth_file = ${users}`,
    ]);
    // Whatever else it is sent, it waits for those it serves.
    const server = await startGuarded([program, settings], { dir, log, signal: "KILL" });
    await untilAccepting(port, server, log);
    return { port, stop: server.stop };
  }, { minTimeout: 0 });
}

async function findProgram(): Promise<string> {
  // Debian has it where only root looks.
  for (const program of ["pgbouncer", "/usr/sbin/pgbouncer"]) {
    const { success } = await new Deno.Command(program, { args: ["--version"], stdout: "null" })
      .output().catch(() => ({ success: false }));
    if (success) return program;
  }
  throw new Error("There is no pgbouncer. Install it: apt-get install pgbouncer");
}

async function write(path: string, lines: string[]): Promise<void> {
  await Deno.writeTextFile(path, lines.join("\n") + "\n");
  await giveToServerUser(path);
}

async function untilAccepting(port: number, server: Guarded, log: string): Promise<void> {
  let ended = false;
  server.status.then(() => ended = true);
  while (!await accepts(port)) {
    if (ended) throw new Error(`PgBouncer did not start. The end of ${log}:\n${await tail(log)}`);
    await delay(20);
  }
}

async function accepts(port: number): Promise<boolean> {
  return await Deno.connect({ hostname: "127.0.0.1", port }).then(
    (connection) => (connection.close(), true),
    () => false,
  );
}
