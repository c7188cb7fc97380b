import { parse } from "@std/toml/parse";
import { CONFIG, findBlock } from "./config_block.ts";
import { MANIFEST, type Manifest } from "./manifest.ts";
import type { Obstacle, Versions } from "./plan.ts";
import { DIBS_DIR, type Release } from "./release.ts";
import type { Repository } from "./repository.ts";

/** What of a project's own is in Dibs's way. */
export async function findObstacles(
  repository: Repository,
  release: Release,
  manifest: Manifest | null,
): Promise<Obstacle[]> {
  if (manifest && isNewer(manifest.version, release.version)) {
    return [{
      path: MANIFEST,
      problem: `says that Dibs ${manifest.version} is there, and this is ${release.version}`,
      mend: "Bring this clone of Dibs up to date: git pull.",
    }];
  }
  const found = await takenNames(repository, release);
  if (!manifest && await repository.exists(DIBS_DIR)) {
    found.push({
      path: DIBS_DIR,
      problem: `is there, without the ${MANIFEST} that says what Dibs put into it`,
      mend: "Restore that file from your version control, or move the folder elsewhere.",
    });
  }
  return found;
}

/** Of a text that both have changed, or that both have. */
export function clash(path: string, { recorded }: Versions): Obstacle {
  const problem = recorded === undefined
    ? "is there already, and this version has a file of that name"
    : "was changed by you, and this version changes it as well";
  const mend = "Take what you need of yours elsewhere, and let --force overwrite it.";
  return { path, problem, mend };
}

/** A project has one function of a name, wherever that is. */
async function takenNames(repository: Repository, release: Release): Promise<Obstacle[]> {
  const config = (await repository.read(CONFIG))!;
  let functions: object;
  try {
    const theirs = config.replace(findBlock(config) ?? "", "").replace(/^\ufeff/, "");
    functions = parse(theirs).functions ?? {};
  } catch (error) {
    const problem = `is no TOML: ${(error as Error).message}`;
    return [{ path: CONFIG, problem, mend: "Mend it; the Supabase CLI cannot read it either." }];
  }
  const found: Obstacle[] = [];
  for (const name of release.functions) {
    const folder = `supabase/functions/${name}`;
    const isConfigured = Object.hasOwn(functions, name);
    if (!isConfigured && !await repository.exists(folder)) continue;
    found.push({
      path: isConfigured ? CONFIG : folder,
      problem: `has a function ${name}, and Dibs has one of that name`,
      mend: "Give yours another name, also where it is called.",
    });
  }
  return found;
}

function isNewer(one: string, other: string): boolean {
  return one.localeCompare(other, "en", { numeric: true }) > 0;
}
