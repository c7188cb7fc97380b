import type { Contender } from "../contender.ts";
import { dibs } from "./dibs.ts";
import { dibsSingle } from "./dibs_single.ts";
import { graphileWorker } from "./graphile_worker.ts";
import { guide } from "./guide.ts";
import { limit } from "./limit.ts";
import { pgBoss } from "./pg_boss.ts";
import { pgmq } from "./pgmq.ts";
import { pgq } from "./pgq.ts";

/** All contenders, in the order of the table. */
export const contenders: Contender[] = [
  dibs,
  dibsSingle,
  guide,
  limit,
  pgmq,
  pgq,
  graphileWorker,
  pgBoss,
];
