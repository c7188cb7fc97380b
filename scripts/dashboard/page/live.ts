import { useEffect, useRef, useState } from "preact/hooks";
import { CHANGED, read, type Refusal } from "./api.ts";

export interface Live<T> {
  /** The last answer, which stays when the next call fails; null before the first. */
  data: T | null;
  error: Refusal | null;
  /** The answer is that to what was asked before; this one's is on its way. */
  isOld?: boolean;
}

const EVERY_MS = 2_000;
const LONGEST_MS = 30_000;

/** The last answers, so that who comes back finds the page as it was. */
const kept = new Map<string, unknown>();
const MOST_KEPT = 30;

/**
 * Reads again and again while somebody looks: not while the tab is hidden, ever more rarely while
 * it fails, never twice at once, and at once after an action.
 */
export function useLive<T>(
  name: string,
  params: Record<string, string> = {},
  { everyMs = EVERY_MS, isHeld = () => false }: { everyMs?: number; isHeld?: () => boolean } = {},
): Live<T> {
  const asked = `${name}?${new URLSearchParams(params)}`;
  const [state, setState] = useState<Live<T> & { asked: string }>({
    data: keptOf<T>(asked),
    error: null,
    asked,
  });
  const held = useRef(isHeld);
  held.current = isHeld;

  useEffect(() => {
    const over = new AbortController();
    let pause = everyMs;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isReading = false;
    const look = async (isWanted = false) => {
      clearTimeout(timer);
      if (document.hidden || isReading) return;
      if (isWanted || !held.current()) {
        isReading = true;
        try {
          const data = await read<T>(name, { params, signal: over.signal });
          pause = everyMs;
          keep(asked, data);
          setState({ data, error: null, asked });
        } catch (error) {
          if (over.signal.aborted) return;
          pause = Math.min(2 * pause, LONGEST_MS);
          setState((last) => ({
            data: last.asked === asked ? last.data : keptOf<T>(asked),
            error: error as Refusal,
            asked,
          }));
        } finally {
          isReading = false;
        }
      }
      timer = setTimeout(look, pause);
    };
    const lookNow = () => look(true);
    document.addEventListener("visibilitychange", lookNow, { signal: over.signal });
    addEventListener(CHANGED, lookNow, { signal: over.signal });
    lookNow();
    return () => {
      over.abort();
      clearTimeout(timer);
    };
  }, [asked]);

  if (state.asked === asked) return state;
  const data = keptOf<T>(asked);
  // What was read for another filter is not shown as if it were of this one.
  return { data: data ?? state.data, error: null, isOld: data === null && state.data !== null };
}

function keptOf<T>(asked: string): T | null {
  return (kept.get(asked) ?? null) as T | null;
}

function keep(asked: string, data: unknown): void {
  kept.delete(asked);
  kept.set(asked, data);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value!);
}
