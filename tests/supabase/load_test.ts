import { freshDatabase } from "../support/database.ts";
import { startLoad } from "../support/load.ts";

Deno.test("many at it at once, in all ways there are, do everything once", async () => {
  await using db = await freshDatabase();
  const load = startLoad(db);
  await load.turns(300);
  await load.finish();
});
