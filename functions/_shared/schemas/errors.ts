// The one shape of an error.
import { z } from "zod";

export const ErrorBody = z.object({
  code: z.string().meta({ description: "Stable; for programs.", examples: ["bad_request"] }),
  message: z.string().meta({ description: "For people; says the mend." }),
  details: z.unknown().optional().meta({
    description: "Of bad_request: a list of {path, message}, one for each bad field.",
  }),
  hint: z.string().optional(),
  request_id: z.string().meta({ description: "Also in the header x-request-id and in the logs." }),
}).meta({ id: "Error", description: "Every refusal has this shape. No payload is ever in it." });
export type ErrorBody = z.infer<typeof ErrorBody>;
