import { contenders } from "../contenders/index.ts";
import { measureDrain } from "../drained.ts";
import { type Cell, newTask, type Scale } from "../workload.ts";

const SIZES = [
  { name: "100 B", bytes: 100, tasks: 10_000 },
  { name: "10 kB", bytes: 10_000, tasks: 3_000 },
  { name: "100 kB", bytes: 100_000, tasks: 400 },
];

const MEASURED = ["dibs", "limit", "pgmq"];

/** Draining tasks with small and large payloads, 10 at a time. */
export function payloadsCells({ quick, tasks: wanted }: Scale): Cell[] {
  return SIZES.map(({ name, bytes, tasks }) => ({
    workload: "payloads",
    name,
    contenders: contenders.filter(({ name }) => MEASURED.includes(name)),
    async measure(contender, database) {
      const drain = {
        workers: 4,
        batch: 10,
        tasks: wanted ?? (quick ? tasks / 10 : tasks),
        make: (n: number) => newTaskOf(bytes, n),
      };
      return (await measureDrain(contender, database, drain)).figures;
    },
  }));
}

/** Padded with what does not compress to nothing, so that its size is what is stored. */
function newTaskOf(bytes: number, n: number) {
  const task = newTask(n);
  const missing = bytes - JSON.stringify(task.payload).length;
  if (missing <= 0) return task;
  const noise = crypto.getRandomValues(new Uint8Array(Math.ceil(missing / 2)));
  return { payload: { ...task.payload, body: noise.toHex() } };
}
