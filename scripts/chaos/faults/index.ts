import type { Fault } from "../fault.ts";
import { blackHole } from "./black_hole.ts";
import { delayRequests } from "./delay_requests.ts";
import { dropRequests } from "./drop_requests.ts";
import { freezeWorker } from "./freeze_worker.ts";
import { holdSnapshot } from "./hold_snapshot.ts";
import { jumpClock } from "./jump_clock.ts";
import { killBackend } from "./kill_backend.ts";
import { killFunctions } from "./kill_functions.ts";
import { killGateway } from "./kill_gateway.ts";
import { killWorker } from "./kill_worker.ts";
import { loseReplies } from "./lose_replies.ts";
import { migrateAgain } from "./migrate_again.ts";
import { stallDispatch } from "./stall_dispatch.ts";
import { stopPostgres } from "./stop_postgres.ts";
import { terminateBackends } from "./terminate_backends.ts";
import { terminateWorker } from "./terminate_worker.ts";

/** Everything that goes wrong. */
export const FAULTS: Fault[] = [
  killWorker,
  freezeWorker,
  terminateWorker,
  terminateBackends,
  stopPostgres,
  killBackend,
  killGateway,
  killFunctions,
  dropRequests,
  delayRequests,
  blackHole,
  loseReplies,
  holdSnapshot,
  migrateAgain,
  stallDispatch,
  jumpClock,
];
