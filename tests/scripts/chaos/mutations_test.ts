import { mutatedProject } from "../../../scripts/chaos/mutated_project.ts";
import { MUTATIONS } from "../../../scripts/chaos/mutations.ts";
import { applyMigrations, listMigrations } from "../../../scripts/stack/migrations.ts";
import { freshDatabase } from "../../support/database.ts";

for (const [name, mutation] of Object.entries(MUTATIONS)) {
  Deno.test(`the bug ${name} can still be planted`, async () => {
    await using project = await mutatedProject(mutation);
    await using db = await freshDatabase({ migrated: false });
    await applyMigrations(db.sql, await listMigrations(project.dir));
  });
}
