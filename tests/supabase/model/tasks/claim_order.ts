// Which of the due tasks a claim leases: the most urgent first, and of those the oldest.

/** What the order of claims looks at. */
export interface Due {
  id: string;
  type: string;
  priority: number;
  runAt: number;
  /** Whether it went back to a place it had before. */
  wentBack: boolean;
  /** Whether that was a moment ago: claims may overlook it there. */
  mayBeOverlooked: boolean;
  /** How often it lost its worker. */
  losses: number;
}

/** How many that lost their workers so often are leased together, and with no others. */
const MOST_SUSPECTS: Record<number, number> = { 2: 16, 3: 4 };

/**
 * Whether a claim may lease these of the due tasks, and no others.
 *
 * A claim of all types goes by age, whatever the type. Of several types that it names, the one whose
 * first task is oldest goes first, as far as it goes; what went back there may not count as first.
 * Where suspects are taken with others, some of them are leased, and the others go back: the one with
 * the smallest id, and such as lost their workers as often.
 */
export function mayLease(
  leased: Due[],
  due: Due[],
  { limit, types }: { limit: number; types: string[] | null },
): boolean {
  if (leased.some((task) => !due.includes(task))) return false;
  const goesBefore = orderOf(due, types === null || types.length === 1);
  if (leased.some(({ losses }) => losses > 1)) {
    return mayBeSingledOut(leased, due, limit, goesBefore);
  }
  const left = due.filter((task) => !leased.includes(task));
  if (left.some((task) => leased.some((other) => goesBefore(task, other)))) return false;
  if (leased.length === 0) return left.length === 0;
  return leased.length === limit ||
    leased.length < limit && left.every(({ mayBeOverlooked }) => mayBeOverlooked);
}

function mayBeSingledOut(
  leased: Due[],
  due: Due[],
  limit: number,
  goesBefore: (one: Due, other: Due) => boolean,
): boolean {
  const [{ losses }] = leased;
  const most = MOST_SUSPECTS[losses] ?? 1;
  const before = (task: Due) => due.filter((other) => goesBefore(other, task));
  if (leased.length > most || leased.some((task) => task.losses !== losses)) return false;
  if (leased.some((task) => before(task).length >= limit)) return false;
  const ids = leased.map(({ id }) => id).sort();
  // What surely was taken as well, and went back.
  return leased.flatMap(before).filter((task) => task.losses > 1 && !leased.includes(task))
    .every((task) =>
      task.id > ids[0] &&
      (task.losses !== losses || leased.length === most && task.id > ids.at(-1)!)
    );
}

/** Who surely goes before whom: of those that are equally urgent and old nobody does. */
function orderOf(due: Due[], byAgeAlone: boolean) {
  const laneOf = byAgeAlone
    ? ({ priority }: Due) => `${priority}`
    : ({ priority, type }: Due) => `${priority} ${type}`;
  const lanes = Map.groupBy(due, laneOf);
  const oldest = (tasks: Due[]) => Math.min(...tasks.map(({ runAt }) => runAt));
  return (one: Due, other: Due) => {
    if (one.mayBeOverlooked) return false;
    if (one.priority !== other.priority) return one.priority < other.priority;
    const [lane, otherLane] = [laneOf(one), laneOf(other)];
    if (lane === otherLane) return one.runAt < other.runAt;
    return oldest(lanes.get(lane)!.filter(({ wentBack }) => !wentBack)) <
      oldest(lanes.get(otherLane)!);
  };
}
