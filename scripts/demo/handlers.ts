// Two small task types that exist only here; the demonstration's workers know them, no function does.
import { z } from "zod";
import { defineTask } from "../../functions/_shared/handler.ts";

const Session = z.strictObject({ session_id: z.string(), minutes: z.int().min(1) });
const RATE_PER_HOUR = 90;

/** Works out what a session costs. */
export const billSession = defineTask({
  type: "demo_bill_session",
  payload: Session,
  run: ({ minutes }) => Promise.resolve({ amount: Math.round(minutes * RATE_PER_HOUR / 60) }),
});

/** Finds the day of the next session. */
export const planNextSession = defineTask({
  type: "demo_plan_next_session",
  payload: Session,
  run: ({ minutes }) => Promise.resolve({ in_days: minutes > 45 ? 14 : 7 }),
});
