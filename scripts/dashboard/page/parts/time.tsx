import { useEffect, useState } from "preact/hooks";
import { distance, instant, moment } from "../format.ts";

/** The time, anew each second. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** How long ago something was, or how soon it will be. */
export function Time({ at }: { at: string | null | undefined }) {
  const now = useNow();
  if (!at) return <span class="quiet">–</span>;
  return <time dateTime={at} title={moment(at)}>{distance(at, now)}</time>;
}

/** When a lease ends; it speaks up when that is near. */
export function Countdown({ at }: { at: string }) {
  const left = (instant(at) - useNow()) / 1_000;
  const tone = left <= 0 ? "bad" : left < 15 ? "warn" : "good";
  return (
    <span class={`countdown ${tone}`}>
      <span class="dot" aria-hidden="true" />
      {left <= 0
        ? (
          <>
            expired <Time at={at} />
          </>
        )
        : <Time at={at} />}
    </span>
  );
}
