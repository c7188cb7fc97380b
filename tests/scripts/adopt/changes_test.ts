import assert from "node:assert/strict";
import { type Change, linesOf, makeChanges } from "../../../scripts/adopt/changes.ts";
import { sampleProject } from "../../support/sample_projects.ts";

const FILES = { "kept.txt": "as it was\n", "gone.txt": "as it was, too\n" };
const CHANGES: Change[] = [
  { path: "kept.txt", before: FILES["kept.txt"], after: "changed\n" },
  { path: "gone.txt", before: FILES["gone.txt"], after: null },
  { path: "a/new/file.txt", before: null, after: "new\n" },
];

Deno.test("all changes are made, and no empty folder is left", async () => {
  await using project = await sampleProject({ ...FILES, "folder/only.txt": "" });
  const emptied = { path: "folder/only.txt", before: "", after: null };
  await makeChanges(project.dir, [...CHANGES, emptied]);
  assert.deepEqual(await project.files(), { "kept.txt": "changed\n", "a/new/file.txt": "new\n" });
  await assert.rejects(Deno.stat(`${project.dir}/folder`));
});

Deno.test("when one of them fails, all files are what they were", async () => {
  await using project = await sampleProject(FILES);
  const impossible = { path: "kept.txt/file.txt", before: null, after: "below a file" };
  await assert.rejects(makeChanges(project.dir, [...CHANGES, impossible]));
  assert.deepEqual(await project.files(), FILES);
  await assert.rejects(Deno.stat(`${project.dir}/a`));
});

Deno.test("when somebody interrupts, all files are what they were", async () => {
  await using project = await sampleProject(FILES);
  let looks = 0;
  const signal = {
    throwIfAborted: () => {
      if (++looks === 3) throw new Error("interrupted");
    },
  };
  await assert.rejects(makeChanges(project.dir, CHANGES, signal as AbortSignal), /interrupted/);
  assert.deepEqual(await project.files(), FILES);
});

Deno.test("lines are counted as they come and go", () => {
  const lines = (before: string | null, after: string | null) =>
    linesOf({ path: "", before, after });
  assert.deepEqual(lines(null, "a\nb\n"), { added: 2, removed: 0 });
  assert.deepEqual(lines("a\nb\n", null), { added: 0, removed: 2 });
  assert.deepEqual(lines("a\nb\nb\n", "b\nc\nb\nb\n"), { added: 2, removed: 1 });
  assert.deepEqual(lines("a", "a\n"), { added: 1, removed: 1 });
});
