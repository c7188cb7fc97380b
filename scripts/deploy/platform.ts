import { parse } from "@std/yaml/parse";
import { Problem } from "./problem.ts";

/** Where projects are managed, and what their addresses end in. */
export interface Platform {
  apiUrl: string;
  projectHost: string;
}

const SUPABASE: Platform = { apiUrl: "https://api.supabase.com", projectHost: "supabase.co" };

/** Supabase's own, or the one of the file that `SUPABASE_PROFILE` names, as for the CLI. */
export async function findPlatform(): Promise<Platform> {
  const profile = Deno.env.get("SUPABASE_PROFILE") || "supabase";
  if (profile === "supabase") return SUPABASE;
  const text = await Deno.readTextFile(profile).catch((error) => {
    throw new Problem(
      `The profile ${profile} cannot be read: ${error.message}`,
      "Unset SUPABASE_PROFILE, or let it name a file with api_url and project_host.",
    );
  });
  const { api_url: apiUrl, project_host: projectHost } = parse(text) as Record<string, string>;
  return { apiUrl: apiUrl ?? SUPABASE.apiUrl, projectHost: projectHost ?? SUPABASE.projectHost };
}
