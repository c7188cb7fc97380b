import { MUTATIONS, plant } from "../../../scripts/chaos/mutation.ts";
import { freshDatabase } from "../../support/database.ts";

for (const [name, mutation] of Object.entries(MUTATIONS)) {
  Deno.test(`the bug ${name} can still be planted`, async () => {
    await using db = await freshDatabase();
    await plant(db.sql, mutation);
  });
}
