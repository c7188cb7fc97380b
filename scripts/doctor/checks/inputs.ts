import type { Check } from "../check.ts";
import { error, ok, warning } from "../finding.ts";
import { refOf, refOfDatabase, refOfUrl } from "../inputs.ts";

/** What was given names one project, and is enough to look at all of it. */
export const inputs: Check = {
  id: "inputs",
  needs: [],
  look({ inputs: { databaseUrl, url, secretKey } }) {
    const ofUrl = url ? refOfUrl(url) : null;
    const ofDatabase = databaseUrl ? refOfDatabase(databaseUrl) : null;
    if (ofUrl && ofDatabase && ofUrl !== ofDatabase) {
      return error(
        `SUPABASE_URL is the project ${ofUrl}, but the database belongs to ${ofDatabase}.`,
        { command: `export SUPABASE_URL=https://${ofDatabase}.supabase.co` },
      );
    }
    const ref = refOf({ url, databaseUrl }) ?? "<ref>";
    const missing = [
      databaseUrl
        ? []
        : `SUPABASE_DB_URL='postgresql://postgres:<password>@db.${ref}.supabase.co:5432/postgres'`,
      url ? [] : `SUPABASE_URL=https://${ref}.supabase.co`,
      secretKey ? [] : "SUPABASE_SECRET_KEY=sb_secret_<key>",
    ].flat();
    if (missing.length === 0) return ok("All was given: the database, the URL and a secret key.");
    const names = missing.map((assignment) => assignment.split("=")[0]);
    return warning(
      `Not everything was given, so not everything is looked at: ${names.join(", ")} missing.`,
      { command: `export ${missing.join(" ")}` },
    );
  },
};
