import type { WholeTask } from "../answers.ts";
import { day, instant, moment, words } from "../format.ts";

const TONES: Record<string, string> = {
  enqueued: "info",
  due: "quiet",
  claimed: "busy",
  completed: "good",
  failed: "bad",
  lost: "bad",
  retried: "info",
  redriven: "info",
  cancelled: "quiet",
  effect: "violet",
};

/** A task's life, oldest first. */
export function Timeline({ events }: { events: WholeTask["timeline"] }) {
  return (
    <ol class="timeline">
      {events.map(({ at, event, attempt, worker_id, detail }, n) => (
        <li key={n} class={TONES[event] ?? "quiet"}>
          <p>
            <b>{words(event)}</b>
            {attempt !== null && <span class="quiet">attempt {attempt}</span>}
            {worker_id && <span class="text">{worker_id}</span>}
            {at && <time class="when quiet" dateTime={at} title={moment(at)}>{exactly(at)}</time>}
          </p>
          {detail && <Detail detail={detail} />}
        </li>
      ))}
    </ol>
  );
}

/** To the millisecond, so that what follows in an instant is told apart, and logs can be held beside it. */
function exactly(at: string): string {
  const date = new Date(instant(at));
  const time = `${date.toLocaleTimeString("en-GB")}.${
    String(date.getMilliseconds()).padStart(3, "0")
  }`;
  return date.toDateString() === new Date().toDateString() ? time : `${day(+date / 1_000)} ${time}`;
}

function Detail({ detail }: { detail: Record<string, unknown> }) {
  const { error, ...rest } = detail;
  const facts = Object.entries(rest).filter(([, value]) => value !== null);
  return (
    <>
      {typeof error === "string" && (
        <pre
          class="json bad"
          tabIndex={0}
          role="region"
          aria-label="Error of this attempt"
        >{error}</pre>
      )}
      {facts.length > 0 && (
        <p class="quiet text small">
          {facts.map(([name, value]) =>
            `${words(name)}: ${typeof value === "string" ? value : JSON.stringify(value)}`
          ).join(" · ")}
        </p>
      )}
    </>
  );
}
