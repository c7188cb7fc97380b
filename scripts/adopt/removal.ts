import type { Change } from "./changes.ts";
import { CONFIG, cutBlock, findBlock } from "./config_block.ts";
import { freshTimes } from "./fresh_times.ts";
import { digestOf, MANIFEST, type Manifest, readManifest } from "./manifest.ts";
import type { Obstacle, Plan } from "./plan.ts";
import { DIBS_DIR, type Release } from "./release.ts";
import type { Repository } from "./repository.ts";

/** How Dibs is taken out. */
export interface RemovalOptions {
  /** Whether no database was ever given its migrations. */
  neverPushed?: boolean;
  /** Whether files of Dibs that the project changed go as well. */
  force?: boolean;
  now?: Date;
}

/** What changes when Dibs is taken out of a project. */
export async function planRemoval(
  repository: Repository,
  release: Release,
  { neverPushed = false, force = false, now = new Date() }: RemovalOptions = {},
): Promise<Plan> {
  const manifest = await readManifest(repository);
  if (!manifest) throw new Error(`There is no Dibs in ${repository.dir}: it has no ${MANIFEST}.`);
  const { changes, kept } = await planFiles(repository, {
    recorded: { ...manifest.files, ...neverPushed ? digestsOf(manifest) : {} },
    force,
  });
  const config = (await repository.read(CONFIG))!;
  const block = findBlock(config);
  const isEdited = block !== null && digestOf(block) !== manifest.config.digest;
  if (block !== null) {
    const after = cutBlock(config, block, manifest.config.breaks);
    changes.push({ path: CONFIG, before: config, after });
  }
  if (!neverPushed) changes.push(await uninstallMigration(repository, release, now));
  changes.push({ path: MANIFEST, before: await repository.read(MANIFEST), after: null });
  return {
    title: `Dibs ${manifest.version}, taken out`,
    changes,
    obstacles: isEdited && !force ? [EDITED_BLOCK] : [],
    kept,
    next: neverPushed ? [] : nextSteps(release),
  };
}

const EDITED_BLOCK: Obstacle = {
  path: CONFIG,
  problem: "was changed by you between the two lines of Dibs",
  mend: "Move what is yours out from between them, or let --force take it out as well.",
};

/** What is as it was put there goes; what somebody changed or added stays. */
async function planFiles(
  repository: Repository,
  { recorded, force }: { recorded: Record<string, string>; force: boolean },
): Promise<{ changes: Change[]; kept: string[] }> {
  const changes: Change[] = [];
  const kept = (await repository.list(DIBS_DIR)).filter((path) => !(path in recorded));
  for (const [path, digest] of Object.entries(recorded)) {
    const before = await repository.read(path);
    if (before === null) continue;
    if (force || digestOf(before) === digest) changes.push({ path, before, after: null });
    else kept.push(path);
  }
  return { changes, kept: kept.sort() };
}

function digestsOf({ migrations }: Manifest): Record<string, string> {
  return Object.fromEntries(migrations.map(({ file, digest }) => [file, digest]));
}

/** What was pushed stays as it was pushed, and is undone by one more. */
async function uninstallMigration(
  repository: Repository,
  { uninstall }: Release,
  now: Date,
): Promise<Change> {
  const [time] = freshTimes(await repository.list("supabase/migrations"), 1, now);
  const path = `supabase/migrations/${time}_dibs_uninstall.sql`;
  return { path, before: null, after: uninstall };
}

function nextSteps({ functions }: Release): string[] {
  return [
    "supabase db push, which drops all of Dibs but public.thoughts, every task and claim with it",
    ...functions.map((name) => `supabase functions delete ${name}`),
    "supabase secrets unset DIBS_DISPATCH_SECRET",
  ];
}
