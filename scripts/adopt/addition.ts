import type { Change } from "./changes.ts";
import { appendBlock, CONFIG, findBlock, replaceBlock } from "./config_block.ts";
import { freshTimes } from "./fresh_times.ts";
import { digestOf, MANIFEST, type Manifest, manifestText, readManifest } from "./manifest.ts";
import { clash, findObstacles } from "./obstacles.ts";
import { decide, type Plan, type Versions } from "./plan.ts";
import { DIBS_DIR, type Release } from "./release.ts";
import type { Repository } from "./repository.ts";

/** These are the project's from the moment they are there. */
const HANDLERS = `${DIBS_DIR}/functions/handlers/`;

/** What is needed to plan, and where the plan is put together. */
interface Draft extends Pick<Plan, "changes" | "obstacles" | "kept"> {
  repository: Repository;
  release: Release;
  /** Null the first time. */
  manifest: Manifest | null;
  /** Whether what the project changed is overwritten. */
  force: boolean;
}

/** What changes when Dibs is put into a project, or upgraded there. */
export async function planAddition(
  repository: Repository,
  release: Release,
  { force = false, now = new Date() } = {},
): Promise<Plan> {
  const manifest = await readManifest(repository);
  const obstacles = await findObstacles(repository, release, manifest);
  const draft: Draft = { repository, release, manifest, force, changes: [], obstacles, kept: [] };
  const after = manifestText({
    version: release.version,
    migrations: await planMigrations(draft, now),
    config: await planConfig(draft),
    files: await planFiles(draft),
  });
  change(draft, { path: MANIFEST, before: await repository.read(MANIFEST), after });
  const { changes, kept } = draft;
  return { title: titleOf(draft), changes, obstacles, kept, next: nextSteps(draft) };
}

/**
 * What was pushed is history. So a migration that has changed comes once more, under a new time:
 * each of them may be applied again.
 */
async function planMigrations(draft: Draft, now: Date): Promise<Manifest["migrations"]> {
  const { repository, release, manifest } = draft;
  const before = manifest?.migrations ?? [];
  const newest = new Map(before.map(({ subject, digest }) => [subject, digest]));
  const hasChanged = release.migrations
    .map(({ subject, text }) => newest.get(subject) !== digestOf(text));
  // What the first one makes, the second one seals; all others seal themselves.
  hasChanged[1] ||= hasChanged[0];
  const changed = release.migrations.filter((_, n) => hasChanged[n]);
  const times = freshTimes(await repository.list("supabase/migrations"), changed.length, now);
  const added = changed.map(({ subject, text }, n) => {
    const file = `supabase/migrations/${times[n]}_dibs_${subject}.sql`;
    change(draft, { path: file, before: null, after: text });
    return { file, subject, digest: digestOf(text) };
  });
  return [...before, ...added];
}

async function planConfig(draft: Draft): Promise<Manifest["config"]> {
  const { repository, release: { configBlock }, manifest } = draft;
  const before = (await repository.read(CONFIG))!;
  const block = findBlock(before);
  const digest = digestOf(configBlock);
  if (block === null) {
    const { config, breaks } = appendBlock(before, configBlock);
    change(draft, { path: CONFIG, before, after: config });
    return { digest, breaks };
  }
  const versions = { recorded: manifest?.config.digest, current: block, wanted: configBlock };
  if (mayWrite(draft, `${CONFIG} (the part of Dibs)`, versions)) {
    change(draft, { path: CONFIG, before, after: replaceBlock(before, block, configBlock) });
  }
  return { digest, breaks: manifest?.config.breaks ?? 1 };
}

async function planFiles(draft: Draft): Promise<Manifest["files"]> {
  const { repository, release: { files }, manifest } = draft;
  const recorded = manifest?.files ?? {};
  const written: Manifest["files"] = {};
  for (const path of new Set([...files.keys(), ...Object.keys(recorded)])) {
    if (manifest && path.startsWith(HANDLERS)) {
      if (path in recorded) written[path] = recorded[path];
      continue;
    }
    const current = await repository.read(path);
    const wanted = files.get(path) ?? null;
    if (mayWrite(draft, path, { recorded: recorded[path], current, wanted })) {
      change(draft, { path, before: current, after: wanted });
    }
    if (wanted !== null) written[path] = digestOf(wanted);
  }
  return written;
}

/** Whether a text of Dibs is to be written; where the project changed it, that is noted. */
function mayWrite({ force, obstacles, kept }: Draft, path: string, versions: Versions): boolean {
  const decision = decide(versions);
  if (force) return decision !== "nothing";
  if (decision === "clash") obstacles.push(clash(path, versions));
  if (decision === "keep") kept.push(path);
  return decision === "write";
}

function change({ changes }: Draft, change: Change): void {
  if (decide({ current: change.before, wanted: change.after }) !== "nothing") changes.push(change);
}

function titleOf({ release: { version }, manifest }: Draft): string {
  if (!manifest) return `Dibs ${version}`;
  if (manifest.version === version) return `Dibs ${version}, again`;
  return `Dibs ${manifest.version} → ${version}`;
}

function nextSteps({ release, manifest, changes }: Draft): string[] {
  const has = (place: string) => changes.some(({ path }) => path.startsWith(place));
  return [
    has("supabase/migrations/") && "supabase db push",
    (has(DIBS_DIR) || has(CONFIG)) &&
    `supabase functions deploy --use-api ${release.functions.join(" ")}`,
    !manifest && "the secrets and the schedule: docs/adopting.md of Dibs",
  ].filter((step) => step !== false);
}
