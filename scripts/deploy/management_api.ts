import { homedir } from "node:os";
import { join } from "node:path";
import { Problem } from "./problem.ts";

const LONGEST_MS = 30_000;

/** A key of a project, as the Management API tells it. */
export interface ApiKey {
  name: string;
  type: "legacy" | "publishable" | "secret" | null;
  api_key: string | null;
}

/** How a pooler of a project is reached. */
export interface Pooler {
  database_type: string;
  db_user: string;
  db_host: string;
  db_port: number;
  db_name: string;
}

/** The two look-ups that the CLI has no command for; everything else is asked of the CLI. */
export interface ManagementApi {
  apiKeys(): Promise<ApiKey[]>;
  poolers(): Promise<Pooler[]>;
}

/** The Management API about one project. Null where this process cannot know the access token. */
export async function managementApi(
  { apiUrl, ref, confidential }: {
    apiUrl: string;
    ref: string;
    confidential: { keep(value: string): string };
  },
): Promise<ManagementApi | null> {
  const token = await findAccessToken();
  if (!token) return null;
  confidential.keep(token);
  const get = (path: string) => ask(`${apiUrl}/v1/projects/${ref}/${path}`, token);
  return {
    apiKeys: () => get("api-keys?reveal=true") as Promise<ApiKey[]>,
    poolers: () => get("config/database/pooler") as Promise<Pooler[]>,
  };
}

/** From the environment, or where `supabase login` leaves it when there is no keyring, which only the CLI reads. */
async function findAccessToken(): Promise<string | null> {
  const given = Deno.env.get("SUPABASE_ACCESS_TOKEN");
  if (given) return given;
  const kept = await Deno.readTextFile(join(homedir(), ".supabase/access-token")).catch(() => "");
  return kept.trim() || null;
}

async function ask(url: string, token: string): Promise<unknown> {
  const { pathname } = new URL(url);
  try {
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(LONGEST_MS),
    });
    if (response.ok) return await response.json();
    throw new Error(`${response.status} ${await response.text()}`);
  } catch (error) {
    throw new Problem(
      `The Management API did not answer GET ${pathname}: ${(error as Error).message}`,
      "Give what it was asked for yourself: SUPABASE_SECRET_KEY (Dashboard → Settings → API Keys) " +
        "and SUPABASE_DB_URL (Dashboard → Connect → Session pooler).",
    );
  }
}
