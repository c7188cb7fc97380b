import type { Group } from "./check.ts";
import { clock } from "./checks/clock.ts";
import * as database from "./checks/database.ts";
import * as dispatch from "./checks/dispatch.ts";
import * as functions from "./checks/functions.ts";
import * as grants from "./checks/grants.ts";
import { inputs } from "./checks/inputs.ts";
import { pausedWork } from "./checks/pauses.ts";
import { retention } from "./checks/retention.ts";
import * as schedule from "./checks/schedule.ts";
import { schedulesRun } from "./checks/schedules.ts";
import { settings } from "./checks/settings.ts";
import { sources } from "./checks/sources.ts";
import * as vacuum from "./checks/vacuum.ts";
import * as vault from "./checks/vault.ts";
import * as work from "./checks/work.ts";

/** All that the doctor looks at, in the order in which one thing depends on another. */
export const GROUPS: Group[] = [
  {
    title: "Database",
    checks: [
      inputs,
      database.database,
      database.postgresVersion,
      database.migrations,
      database.databaseVersion,
      database.pgCron,
      database.pgNet,
      database.vault,
      settings,
      sources,
      clock,
    ],
  },
  {
    title: "Functions",
    checks: [
      functions.functions,
      functions.functionsDeployed,
      functions.functionsStart,
      functions.verifyJwt,
      functions.secretKey,
      functions.functionsDatabase,
      functions.functionsVersion,
    ],
  },
  {
    title: "Dispatch",
    checks: [
      schedule.tickScheduled,
      schedule.pruneScheduled,
      schedule.tickRuns,
      vault.vaultUrl,
      vault.vaultSecret,
      vault.dispatchSecret,
      dispatch.pgNetSends,
      dispatch.dispatchCalls,
      dispatch.dispatchRests,
      dispatch.invocations,
    ],
  },
  {
    title: "Work",
    checks: [
      work.expiredLeases,
      work.workWaits,
      work.backlog,
      work.noHandler,
      pausedWork,
      schedulesRun,
      work.parkedEffects,
      retention,
    ],
  },
  {
    title: "Who may do what",
    checks: [grants.grants, grants.rowSecurity, grants.securityDefiner],
  },
  {
    title: "Vacuum",
    checks: [
      vacuum.oldTransactions,
      vacuum.preparedTransactions,
      vacuum.replicationSlots,
      vacuum.deadRows,
      vacuum.autovacuum,
    ],
  },
];
