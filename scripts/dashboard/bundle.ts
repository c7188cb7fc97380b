import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { PROJECT_DIR } from "../stack/migrate.ts";

/** What a browser loads beside the document. */
export interface Bundle {
  script: Uint8Array<ArrayBuffer>;
  style: Uint8Array<ArrayBuffer>;
}

/** Makes the page's script and style from its sources, in memory. */
export async function bundlePage(): Promise<Bundle> {
  const { outputFiles } = await build({
    absWorkingDir: PROJECT_DIR,
    entryPoints: ["page/main.tsx", "page/style/main.css"].map((path) =>
      fileURLToPath(new URL(path, import.meta.url))
    ),
    outdir: "page",
    write: false,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    logLevel: "silent",
    // deno.json is not for bundlers.
    tsconfigRaw: {},
  });
  const output = (ending: string) =>
    new Uint8Array(outputFiles.find(({ path }) => path.endsWith(ending))!.contents);
  return { script: output(".js"), style: output(".css") };
}
