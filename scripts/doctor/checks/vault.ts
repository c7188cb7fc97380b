import { showDispatch } from "../answers.ts";
import type { Check } from "../check.ts";
import { error, info, type Mend, ok } from "../finding.ts";
import { isSameProject, refOf, urlOf } from "../inputs.ts";
import type { Project } from "../project.ts";
import { literal } from "../sql_text.ts";

interface Entries {
  url_name: string;
  secret_name: string;
  url: string | null;
  secret: string | null;
}

/** The Vault says where this very project is. */
export const vaultUrl: Check = {
  id: "vault_url",
  needs: ["dibs", "vault"],
  async look(project) {
    const { url_name, secret_name, url } = await readEntries(project);
    if (url_name === secret_name) return info("Not looked at: it has no entry of its own.");
    const own = urlOf(project.inputs);
    const set = {
      sql: `select vault.update_secret(id, ${literal(own)}) from vault.secrets where name = ${
        literal(url_name)
      };`,
    };
    if (url === null) {
      return error(
        `The Vault has no ${url_name}, the address of this project: nothing is dispatched.`,
        {
          sql: `select vault.create_secret(${literal(own)}, ${literal(url_name)});`,
        },
      );
    }
    if (!/^https?:\/\/[^/\s?#]+$/.test(url) || !URL.canParse(url)) {
      // Not told as it is: a secret may have been put there.
      return error(`${url_name} is not an address such as ${own}, without a path.`, set);
    }
    switch (isSameProject(url, project.inputs)) {
      case "same":
        return ok(`${url_name} is this very project.`);
      case "other":
        return error(
          `${url_name} is ${url}: this database drives the functions of another project.`,
          set,
        );
      case "unknown":
        return info(
          `${url_name} is ${url}; whether that is this project cannot be told from here.`,
        );
    }
  },
};

/** The Vault has what opens dispatch. */
export const vaultSecret: Check = {
  id: "vault_secret",
  needs: ["dibs", "vault"],
  async look(project) {
    const { secret_name, secret } = await readEntries(project);
    if (secret) return ok(`${secret_name} is there.`);
    const draw = "gen_random_uuid()::text || gen_random_uuid()";
    const sql = secret === null
      ? `select vault.create_secret(${draw}, ${literal(secret_name)});`
      : `select vault.update_secret(id, ${draw}) from vault.secrets where name = ${
        literal(secret_name)
      };`;
    return error(`The Vault has no ${secret_name}, which opens dispatch: nothing is dispatched.`, {
      sql,
    });
  },
};

/** What the Vault has does open dispatch. */
export const dispatchSecret: Check = {
  id: "dispatch_secret",
  needs: ["dibs", "vault", "functions"],
  async look(project) {
    const { secret_name, secret } = await readEntries(project);
    if (!secret) return info(`Not looked at: there is no ${secret_name}.`);
    const { status, isDibs } = await showDispatch(project.inputs.url!, secret);
    if (!isDibs) {
      return info(`Not looked at: dispatch does not answer, but the platform, ${status}.`);
    }
    if (status !== 401) return ok(`dispatch takes ${secret_name}.`);
    return error(
      `dispatch refuses ${secret_name}: it is not the DIBS_DISPATCH_SECRET of the functions.`,
      agree(refOf(project.inputs), literal(secret_name)),
    );
  },
};

/** Secrets of hosted functions can be set but not read, so there the Vault's is the one to take. */
function agree(ref: string | null, name: string): Mend {
  if (ref === null) {
    const sql =
      `select vault.update_secret(id, '<DIBS_DISPATCH_SECRET>') from vault.secrets where name = ${name};`;
    return { sql };
  }
  const query = `select decrypted_secret from vault.decrypted_secrets where name = ${name}`;
  const kept = `$(psql "$SUPABASE_DB_URL" -Atc "${query}")`;
  return {
    command: `npx supabase secrets set --project-ref ${ref} DIBS_DISPATCH_SECRET="${kept}"`,
  };
}

function readEntries(project: Project): Promise<Entries> {
  return project.read(async (sql) => {
    const [entries] = await sql<[Entries]>`
      select s.url_secret as url_name, s.dispatch_secret as secret_name,
        (select decrypted_secret from vault.decrypted_secrets where name = s.url_secret) as url,
        (select decrypted_secret from vault.decrypted_secrets where name = s.dispatch_secret) as secret
      from dibs.settings s`;
    return entries;
  });
}
