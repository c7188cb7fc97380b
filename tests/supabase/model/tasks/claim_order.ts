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
  /** Whether it lost its workers so often that it is leased alone. */
  suspect: boolean;
}

/**
 * Whether a claim may lease these of the due tasks, and no others.
 *
 * A claim of all types goes by age, whatever the type. Of several types that it names, the one whose
 * first task is oldest goes first, as far as it goes; what went back there may not count as first. A
 * suspect that is taken with others is leased alone, and they go back; of several suspects it is the
 * one with the smallest id.
 */
export function mayLease(
  leased: Due[],
  due: Due[],
  { limit, types }: { limit: number; types: string[] | null },
): boolean {
  if (leased.some((task) => !due.includes(task))) return false;
  const goesBefore = orderOf(due, types === null || types.length === 1);
  if (leased.some(({ suspect }) => suspect)) {
    const [suspect, ...others] = leased;
    const before = due.filter((task) => goesBefore(task, suspect));
    return others.length === 0 && before.length < limit &&
      !before.some((task) => task.suspect && task.id < suspect.id);
  }
  const left = due.filter((task) => !leased.includes(task));
  if (left.some((task) => leased.some((other) => goesBefore(task, other)))) return false;
  if (leased.length === 0) return left.length === 0;
  return leased.length === limit ||
    leased.length < limit && left.every(({ mayBeOverlooked }) => mayBeOverlooked);
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
