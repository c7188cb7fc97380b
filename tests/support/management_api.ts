// Stands in for Supabase's Management API, as far as the CLI asks it: it keeps what it was sent.
import { digestOf } from "../../scripts/deploy/function_secrets.ts";

/** A function, as the CLI uploaded it. */
export interface Upload {
  slug: string;
  metadata: {
    name: string;
    entrypoint_path: string;
    import_map_path: string;
    static_patterns: string[];
    verify_jwt: boolean;
  };
  /** By path from the root of the repository. */
  files: Map<string, string>;
}

export interface ManagementApi extends AsyncDisposable {
  url: string;
  /** What was asked, as `POST secrets`: only the last part of the path, below the project. */
  requests: string[];
  secrets: Map<string, string>;
  /** Every value that a secret ever had. */
  values: Set<string>;
  /** What was uploaded last, by name of the function. */
  uploads: Map<string, Upload>;
  /** Requests that fail as long as they stand here, after so many that do not. */
  failures: Map<string, { status: number; after?: number }>;
  /** Is awaited before a change is answered. */
  changed: (request: string) => Promise<void>;
  /** A deployment by somebody else: the functions are what they were, in another version. */
  deployByHand(): void;
}

interface Project {
  ref: string;
  token: string;
  secretKey: string;
  publishableKey: string;
  /** How its pooler is reached. */
  pooler: { db_user: string; db_host: string; db_port: number; db_name: string };
}

export function managementApi(project: Project): ManagementApi {
  const api = {
    requests: [] as string[],
    secrets: new Map<string, string>(),
    values: new Set<string>(),
    uploads: new Map<string, Upload>(),
    failures: new Map<string, { status: number; after?: number }>(),
    changed: (_request: string) => Promise.resolve(),
    deployByHand() {
      for (const slug of versions.keys()) bump(slug);
    },
  };
  const versions = new Map<string, number>();
  const bump = (slug: string) => versions.set(slug, (versions.get(slug) ?? 0) + 1);
  const functionOf = (slug: string) => {
    const { metadata } = api.uploads.get(slug)!;
    return {
      id: crypto.randomUUID(),
      slug,
      name: slug,
      status: "ACTIVE",
      version: versions.get(slug) ?? 1,
      created_at: 1_790_000_000_000,
      updated_at: 1_790_000_000_000,
      verify_jwt: metadata.verify_jwt,
      import_map: true,
      entrypoint_path: metadata.entrypoint_path,
      import_map_path: metadata.import_map_path,
    };
  };

  const routes: Record<string, (request: Request) => unknown> = {
    "GET ": () => ({
      id: project.ref,
      ref: project.ref,
      name: "a project",
      organization_id: "an-organization",
      organization_slug: "an-organization",
      region: "eu-central-1",
      status: "ACTIVE_HEALTHY",
      created_at: "2026-01-01T00:00:00Z",
      database: {
        host: "db",
        version: "17.6.1.166",
        postgres_engine: "17",
        release_channel: "ga",
      },
    }),
    "GET api-keys": () => [
      key("publishable", project.publishableKey),
      key("secret", project.secretKey),
    ],
    "GET config/database/pooler": () => [{
      identifier: project.ref,
      database_type: "PRIMARY",
      is_using_scram_auth: true,
      connection_string: "",
      connectionString: "",
      default_pool_size: 15,
      max_client_conn: 200,
      pool_mode: "transaction",
      ...project.pooler,
    }],
    "GET secrets": () =>
      Promise.all(
        [...api.secrets].map(async ([name, value]) => ({ name, value: await digestOf(value) })),
      ),
    async "POST secrets"(request) {
      for (const { name, value } of await request.json()) {
        api.secrets.set(name, value);
        api.values.add(value);
      }
      return created({});
    },
    async "DELETE secrets"(request) {
      for (const name of await request.json()) api.secrets.delete(name);
      return {};
    },
    "GET functions": () => [...versions.keys()].map(functionOf),
    async "POST functions/deploy"(request) {
      const upload = await uploadOf(request);
      api.uploads.set(upload.slug, upload);
      return created(functionOf(upload.slug));
    },
    async "PUT functions"(request) {
      const deployed: { slug: string }[] = await request.json();
      for (const { slug } of deployed) bump(slug);
      return { functions: deployed.map(({ slug }) => functionOf(slug)) };
    },
  };

  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const base = `/v1/projects/${project.ref}`;
    const { pathname } = new URL(request.url);
    const name = `${request.method} ${pathname.replace(base, "").replace(/^\//, "")}`;
    api.requests.push(name);
    const failure = api.failures.get(name);
    if (request.headers.get("authorization") !== `Bearer ${project.token}`) {
      return refusal(401, "Unauthorized");
    }
    if (failure && !failure.after) return refusal(failure.status, "Planted by a test");
    if (failure) failure.after!--;
    const route = pathname.startsWith(base) ? routes[name] : undefined;
    if (!route) return refusal(404, `There is no ${name}`);
    const answer = await route(request);
    if (request.method !== "GET") await api.changed(name);
    return answer instanceof Response ? answer : Response.json(answer);
  });
  return Object.assign(api, {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  });
}

async function uploadOf(request: Request): Promise<Upload> {
  const slug = new URL(request.url).searchParams.get("slug")!;
  const form = await request.formData();
  const files = form.getAll("file").filter((part) => part instanceof File);
  const metadata = form.get("metadata")!;
  return {
    slug,
    metadata: JSON.parse(metadata instanceof File ? await metadata.text() : metadata),
    files: new Map(
      await Promise.all(
        files.map(async (file) => [file.name, await file.text()] as const),
      ),
    ),
  };
}

function key(type: "publishable" | "secret", api_key: string) {
  return { id: crypto.randomUUID(), type, name: "default", api_key, prefix: api_key.slice(0, 8) };
}

function created(body: unknown): Response {
  return Response.json(body, { status: 201 });
}

function refusal(status: number, message: string): Response {
  return Response.json({ message }, { status });
}
