// Loaded into the functions' process before the functions, which know nothing of it.
import * as handlers from "../../functions/handlers/index.ts";
import { setting } from "../stack/child.ts";
import { DRAINS } from "./record.ts";
import { recordHandlers } from "./recorder.ts";

recordHandlers(Object.values(handlers), { file: setting("DIBS_DEMO_RECORD"), by: DRAINS });
