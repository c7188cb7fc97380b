import type { Check } from "../check.ts";
import { type Found, ok, warning } from "../finding.ts";

const TOLERATED_MS = 5_000;

/** Clocks agree. Only the database's decides about leases; but people compare times. */
export const clock: Check = {
  id: "clock",
  needs: ["database"],
  async look(project) {
    const asked = Date.now();
    const [{ now }] = await project.read((sql) =>
      sql`select extract(epoch from clock_timestamp())::float8 * 1000 as now`
    );
    const database = now - (asked + Date.now()) / 2;
    const answers = project.inputs.url ? [...(await project.functions()).values()] : [];
    const functions = answers.find(({ aheadMs }) => aheadMs !== null)?.aheadMs ?? null;
    return judge(database, functions);
  },
};

/** By how far the clocks of the database and of the functions are ahead of this machine's, in ms. */
function judge(database: number, functions: number | null): Found {
  if (Math.abs(database) > TOLERATED_MS) {
    return warning(`The clock of this machine is ${difference(-database)} that of the database.`, {
      command: "sudo timedatectl set-ntp true",
    });
  }
  if (functions !== null && Math.abs(functions - database) > TOLERATED_MS) {
    return warning(
      `The clock of the functions is ${difference(functions - database)} that of the database.`,
      {
        by_hand:
          "Set the clock where the functions run; on a hosted project, tell Supabase. Leases are safe: " +
          "they go by the clock of the database alone.",
      },
    );
  }
  return ok("The clocks agree.");
}

function difference(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1_000);
  return `${seconds} seconds ${ms > 0 ? "ahead of" : "behind"}`;
}
