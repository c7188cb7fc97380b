import { delay } from "@std/async/delay";
import { dirname, join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { choosePort } from "../../scripts/stack/ports.ts";
import { type Process, startProgram } from "../../scripts/stack/processes.ts";
import type { Upload } from "./management_api.ts";

/** Functions that run from what was uploaded, and from nothing else of this repository but its packages. */
export interface DeployedFunctions {
  /** Answers as the platform's gateway does. */
  fetch(request: Request): Promise<Response>;
  /** What was uploaded is what is to run, with these secrets. */
  deploy(uploads: Iterable<Upload>, secrets: Map<string, string>): Promise<void>;
  /** They get other secrets; for some milliseconds they run on with the last ones. */
  changeSecrets(secrets: Map<string, string>, lagMs: number): Promise<void>;
  stop(): Promise<void>;
}

interface Generation {
  process: Process;
  calls: Set<Promise<unknown>>;
}

const PREFIX = "/functions/v1";

export function deployedFunctions(dir: string, env: Record<string, string>): DeployedFunctions {
  let current: Generation | null = null;
  let changes: Promise<void> = Promise.resolve();

  async function replace(secrets: Map<string, string>, lagMs: number): Promise<void> {
    const next = {
      process: await start(dir, { ...env, ...Object.fromEntries(secrets) }),
      calls: new Set<never>(),
    };
    await delay(lagMs);
    const last = current;
    current = next;
    // What it was called for it still answers.
    await Promise.all(last?.calls ?? []);
    await last?.process.stop();
  }

  return {
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (!current) {
        return Response.json({ code: "NOT_FOUND", message: "Requested function was not found" }, {
          status: 404,
        });
      }
      const { process, calls } = current;
      const answer = forward(
        request,
        `http://127.0.0.1:${process.port}${pathname.slice(PREFIX.length)}${search}`,
      );
      calls.add(answer);
      return await answer.finally(() => calls.delete(answer));
    },
    async deploy(uploads, secrets) {
      await writeUploads(dir, uploads);
      changes = changes.then(() => replace(secrets, 0));
      await changes;
    },
    async changeSecrets(secrets, lagMs) {
      if (!current) return;
      changes = changes.then(() => replace(new Map(secrets), lagMs));
      if (lagMs === 0) await changes;
    },
    async stop() {
      await changes;
      await current?.process.stop();
    },
  };
}

async function forward(request: Request, url: string): Promise<Response> {
  const { method, body } = request;
  const headers = new Headers(request.headers);
  headers.delete("host");
  headers.set("accept-encoding", "identity");
  const response = await fetch(url, { method, headers, body });
  return new Response(await response.arrayBuffer(), response);
}

async function start(dir: string, env: Record<string, string>): Promise<Process> {
  return await startProgram({
    program: "functions.ts",
    port: choosePort(),
    log: join(dir, "functions.log"),
    env: { ...env, DIBS_SUPABASE_DIR: join(dir, "supabase") },
  });
}

async function writeUploads(dir: string, uploads: Iterable<Upload>): Promise<void> {
  const config: string[] = [];
  for (const { slug, metadata, files } of uploads) {
    config.push(`[functions.${slug}]`, `entrypoint = "../${metadata.entrypoint_path}"`);
    for (const [path, text] of files) await write(join(dir, path), text);
  }
  await write(join(dir, "supabase/config.toml"), config.join("\n"));
  await Deno.symlink(join(PROJECT_DIR, "node_modules"), join(dir, "node_modules")).catch(() => {});
}

async function write(path: string, text: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, text);
}
