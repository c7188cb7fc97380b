// Loaded into the functions' process before the functions, which know nothing of it.
import * as handlers from "../../functions/handlers/index.ts";
import { setting } from "../stack/child.ts";
import { DRAINS } from "../record/record.ts";
import { recordHandlers } from "./record_handlers.ts";

recordHandlers(Object.values(handlers), { file: setting("DIBS_RECORD"), by: DRAINS });
