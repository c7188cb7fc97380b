/** What is known of a project from outside. What is missing was not given. */
export interface Inputs {
  databaseUrl?: string;
  url?: string;
  secretKey?: string;
}

/** Whether two addresses are of one project; `unknown` where they do not tell. */
export type Sameness = "same" | "other" | "unknown";

/** Whether `url`, which the database holds, is the address of the project it belongs to. */
export function isSameProject(url: string, inputs: Inputs): Sameness {
  const theirs = refOfUrl(url);
  const own = refOf(inputs);
  if (theirs && own) return theirs === own ? "same" : "other";
  if (inputs.url && originOf(url) === originOf(inputs.url)) return "same";
  // A copy on this machine must not drive the project it is a copy of, nor one elsewhere a copy here.
  const isHere = isLoopback(inputs.url) || isLoopback(inputs.databaseUrl);
  if (isHere ? theirs : isLoopback(url)) return "other";
  return isLoopback(url) && isLoopback(inputs.url) ? "other" : "unknown";
}

/** What Supabase calls a hosted project, by its URL or that of its database. */
export function refOf({ url, databaseUrl }: Inputs): string | null {
  return url && refOfUrl(url) || databaseUrl && refOfDatabase(databaseUrl) || null;
}

/** The project of `https://<ref>.supabase.co`. */
export function refOfUrl(url: string): string | null {
  return new URL(url).hostname.match(/^([a-z]{20})\.supabase\.(co|in|red)$/)?.[1] ?? null;
}

/** The project of `postgres@db.<ref>.supabase.co`, or of `postgres.<ref>` at the pooler. */
export function refOfDatabase(databaseUrl: string): string | null {
  const { hostname, username } = new URL(databaseUrl);
  return hostname.match(/^db\.([a-z]{20})\.supabase\./)?.[1] ??
    username.match(/^\w+\.([a-z]{20})$/)?.[1] ?? null;
}

/** The address a project should be called at, as far as it can be told. */
export function urlOf(inputs: Inputs): string {
  return inputs.url ?? `https://${refOf(inputs) ?? "<ref>"}.supabase.co`;
}

function originOf(url: string): string {
  const { protocol, host, port } = new URL(url);
  return isLoopback(url) ? `here:${port}` : `${protocol}//${host}`;
}

function isLoopback(url?: string): boolean {
  return url !== undefined &&
    ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);
}
