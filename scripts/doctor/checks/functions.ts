import { VERSION } from "../../../functions/_shared/version.ts";
import type { Answer, FunctionName } from "../answers.ts";
import type { Check } from "../check.ts";
import { error, type Found, info, ok, warning } from "../finding.ts";
import { refOf } from "../inputs.ts";
import { isAnswered, type Project } from "../project.ts";

const NEW_KEY = { command: "export SUPABASE_SECRET_KEY=sb_secret_<key>" };

/** Somebody answers. */
export const functions: Check = {
  id: "functions",
  needs: [],
  async look(project) {
    const { url } = project.inputs;
    if (!url) return info("Not given, so not looked at.");
    const answers = await project.functions();
    if (isAnswered(answers)) return ok(`${url} answers.`);
    return error(`Nothing answers at ${url}: ${answers.get("status")!.body}.`, {
      command: 'curl -i "$SUPABASE_URL/functions/v1/status"',
    });
  },
};

/** All of them are there. */
export const functionsDeployed: Check = {
  id: "functions_deployed",
  needs: ["functions"],
  async look(project) {
    const missing = await those(project, ({ status, isDibs }) => status === 404 && !isDibs);
    if (missing.length === 0) return ok("All functions are deployed.");
    return error(`Not deployed: ${missing.join(", ")}.`, deploy(project, missing));
  },
};

/** What is there starts, and is Dibs's. */
export const functionsStart: Check = {
  id: "functions_start",
  needs: ["functions"],
  async look(project) {
    const broken = await those(
      project,
      ({ status, isDibs }) => !isDibs && status !== 404 && status !== 401,
    );
    if (broken.length === 0) return ok("What is deployed starts.");
    const answers = await project.functions();
    const how = broken.map((name) => `${name} (${answers.get(name)!.status || "no answer"})`);
    return error(
      `What answers is not a function of Dibs: ${how.join(", ")}.`,
      deploy(project, broken),
    );
  },
};

/** The platform lets callers through to the functions, which look at their keys themselves. */
export const verifyJwt: Check = {
  id: "verify_jwt",
  needs: ["functions"],
  async look(project) {
    const guarded = await those(project, ({ status, isDibs }) => status === 401 && !isDibs);
    if (guarded.length === 0) {
      return ok("verify_jwt is off: functions see for themselves who calls.");
    }
    return error(
      `verify_jwt is on for ${
        guarded.join(", ")
      }: whoever sends no JWT, as the database does, is turned away.`,
      deploy(project, guarded, " --no-verify-jwt"),
    );
  },
};

/** The key is of the kind that functions take, and of this project. */
export const secretKey: Check = {
  id: "secret_key",
  needs: ["key", "functions"],
  async look(project) {
    const key = project.inputs.secretKey!;
    const kind = kindOf(key);
    if (kind) return error(`SUPABASE_SECRET_KEY is ${kind}, which functions do not take.`, NEW_KEY);
    const { status, isDibs } = await project.status();
    if (!isDibs) return info(`Not looked at: status does not answer, but the platform, ${status}.`);
    if (status !== 401) return ok("The functions take the secret key.");
    return error("The functions refuse the secret key: it is not the one named default.", NEW_KEY);
  },
};

/** The functions reach the database, and it knows what they call. */
export const functionsDatabase: Check = {
  id: "functions_database",
  needs: ["key", "functions"],
  async look(project) {
    const { status, isDibs, body } = await project.status();
    if (status === 200 && isDibs) return ok("The functions reach the database.");
    const unseen = unseenBehind(status, isDibs);
    if (unseen) return unseen;
    return error(
      `The functions do not reach the database: ${body.message} ${body.hint ?? ""}`.trim(),
      {
        sql: "notify pgrst, 'reload schema';",
      },
    );
  },
};

/** The functions are of the version that stands here. */
export const functionsVersion: Check = {
  id: "functions_version",
  needs: ["key", "functions"],
  async look(project) {
    const { status, isDibs, body } = await project.status();
    if (status !== 200 || !isDibs) {
      return unseenBehind(status, isDibs) ?? info("Not looked at: status fails.");
    }
    const { functions = "of before 0.1.0" } = body.version;
    if (functions === VERSION) return ok(`The functions are at ${VERSION}, as this repository.`);
    return warning(
      `The functions are ${functions}, this repository is at ${VERSION}.`,
      deploy(project, []),
    );
  },
};

/** What other checks say more about. */
function unseenBehind(status: number, isDibs: boolean): Found | null {
  if (!isDibs) return info("Not looked at: status does not answer.");
  return status === 401 ? info("Not looked at: the functions refuse the secret key.") : null;
}

function kindOf(key: string): string | null {
  if (key.startsWith("eyJ")) return "an old service_role token";
  if (key.startsWith("sb_publishable_")) return "a publishable key";
  return key.startsWith("sb_secret_") ? null : "no secret key (sb_secret_…)";
}

/** The functions that answered so. */
async function those(
  project: Project,
  areSo: (answer: Answer) => boolean,
): Promise<FunctionName[]> {
  return [...await project.functions()].filter(([, answer]) => areSo(answer)).map(([name]) => name);
}

/** Deploys some, or (none named) all. */
function deploy({ inputs }: Project, names: string[], flags = "") {
  const ref = refOf(inputs);
  const named = names.map((name) => ` ${name}`).join("");
  const project = ref ? ` --project-ref ${ref}` : "";
  return { command: `npx supabase functions deploy${named} --use-api${flags}${project}` };
}
