// Serves every edge function of supabase/config.toml, each loaded when it is first called, the
// way the hosted runtime answers for them. The environment is the one hosted functions have.
import { parse } from "@std/toml/parse";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runUntilParentEnds, serve, setting } from "./child.ts";

/** How long background work may go on after the stack was told to stop. */
const GRACE_MS = 5_000;

const supabaseDir = setting("DIBS_SUPABASE_DIR");
const entrypoints = await readEntrypoints();
const background = new Set<Promise<unknown>>();

Object.assign(globalThis, {
  EdgeRuntime: {
    waitUntil(promise: Promise<unknown>) {
      const settled = promise.catch((error) => console.error("Background work failed:", error))
        .finally(() => background.delete(settled));
      background.add(settled);
    },
  },
});
// Hosted functions run apart from each other: one's stray rejection may not end the others.
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  console.error("Unhandled rejection:", event.reason);
});

serve(async (request) => {
  const [, name] = new URL(request.url).pathname.split("/");
  const entrypoint = entrypoints.get(name);
  if (!entrypoint) return problem(404, "NOT_FOUND", "Requested function was not found");
  try {
    const module = await load(name, entrypoint);
    return module instanceof Response ? module : await module.default.fetch(request);
  } catch (error) {
    console.error(`${name} threw:`, error);
    return problem(500, "EDGE_FUNCTION_ERROR", "Internal Server Error");
  }
});
runUntilParentEnds(async () => {
  dispatchEvent(new CustomEvent("beforeunload", { detail: { reason: "termination" } }));
  await Promise.race([
    Promise.all(background),
    new Promise((resolve) => setTimeout(resolve, GRACE_MS)),
  ]);
});

async function readEntrypoints(): Promise<Map<string, string>> {
  const config = parse(await Deno.readTextFile(join(supabaseDir, "config.toml")));
  const functions = (config.functions ?? {}) as Record<string, { entrypoint?: string }>;
  return new Map(
    Object.entries(functions).map(([name, { entrypoint = `functions/${name}/index.ts` }]) => [
      name,
      pathToFileURL(join(supabaseDir, entrypoint)).href,
    ]),
  );
}

async function load(name: string, entrypoint: string) {
  try {
    return await import(entrypoint);
  } catch (error) {
    console.error(`${name} does not load:`, error);
    return problem(503, "BOOT_ERROR", "Function failed to start (please check logs)");
  }
}

function problem(status: number, code: string, message: string): Response {
  return Response.json({ code, message }, { status, headers: { "sb-error-code": code } });
}
