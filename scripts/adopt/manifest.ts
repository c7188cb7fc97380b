import { createHash } from "node:crypto";
import { z } from "zod";
import type { Repository } from "./repository.ts";

/** The file in which a project keeps what was put into it, so that an upgrade knows what has changed. */
export const MANIFEST = "supabase/dibs.json";

const Manifest = z.object({
  version: z.string(),
  /** The block in config.toml, and how many line breaks stand before it. */
  config: z.object({ digest: z.string(), breaks: z.int() }),
  /** All there ever were, in the order of their times. */
  migrations: z.array(z.object({
    file: z.string().regex(/^supabase\/migrations\/\d+_dibs_\w+\.sql$/),
    subject: z.string(),
    digest: z.string(),
  })),
  /** Path → digest. */
  files: z.record(z.string().regex(/^supabase\/dibs\/(?!.*\.\.\/)/), z.string()),
});

/** What was put into a project. */
export type Manifest = z.infer<typeof Manifest>;

/** The manifest of a project; null where Dibs is not in it. */
export async function readManifest(repository: Repository): Promise<Manifest | null> {
  const text = await repository.read(MANIFEST);
  if (text === null) return null;
  try {
    return Manifest.parse(JSON.parse(text));
  } catch {
    throw new Error(
      `${MANIFEST} is not as \`npm run add\` wrote it. Restore it from your version control.`,
    );
  }
}

/** As it stands in its file. */
export function manifestText(manifest: Manifest): string {
  return JSON.stringify(manifest, null, 2) + "\n";
}

/** Tells whether a text is as it was written, whatever line breaks git checks it out with. */
export function digestOf(text: string): string {
  return createHash("sha256").update(text.replaceAll("\r\n", "\n")).digest("hex");
}
