import type { Check } from "../check.ts";
import { error, ok, warning } from "../finding.ts";
import { literal } from "../sql_text.ts";

/** No setting makes another one pointless. */
export const settings: Check = {
  id: "settings",
  needs: ["dibs"],
  async look(project) {
    const [s] = await project.read((sql) =>
      sql`
        select *, wake_debounce > tick_seconds * interval '1 s' as wakes_late from dibs.settings`
    );
    if (s.url_secret === s.dispatch_secret) {
      return error("url_secret and dispatch_secret name one entry of the Vault.", {
        sql: `${configure("url_secret", "dibs_project_url")}\n${
          configure("dispatch_secret", "dibs_dispatch_secret")
        }`,
      });
    }
    if (s.drain_batch > s.tasks_per_drain) {
      return warning(
        `drain_batch (${s.drain_batch}) is more than tasks_per_drain (${s.tasks_per_drain}): ` +
          "the first drains take what others are started for.",
        { sql: configure("drain_batch", String(s.tasks_per_drain)) },
      );
    }
    if (s.wakes_late) {
      return warning(
        `wake_debounce is longer than tick_seconds (${s.tick_seconds}): the tick comes first, and nothing wakes.`,
        { sql: configure("wake_debounce", "1 second") },
      );
    }
    return ok("No setting contradicts another.");
  },
};

function configure(setting: string, value: string): string {
  return `select dibs.configure(${literal(setting)}, ${literal(value)});`;
}
