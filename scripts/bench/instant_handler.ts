// Loaded into the functions' process before the functions: a handler that only notes when it starts.
import * as handlers from "../../functions/handlers/index.ts";
import { setting } from "../stack/child.ts";

const starts = await Deno.open(setting("DIBS_BENCH_STARTS"), { append: true });

Object.assign(handlers.generateCarePlan, {
  run({ n }: { n: number }) {
    const at = performance.timeOrigin + performance.now();
    starts.writeSync(new TextEncoder().encode(`${n} ${at}\n`));
    return Promise.resolve(null);
  },
});
