// Every handler there is: one file each, and one line here.
export { enrichment } from "./enrichment.ts";
export { generateCarePlan } from "./generate_care_plan.ts";
