import type { WholeTask } from "../answers.ts";
import { moment, words } from "../format.ts";
import { Time } from "../parts/time.tsx";

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
            <span class="when quiet" title={at ? moment(at) : undefined}>
              <Time at={at} />
            </span>
          </p>
          {detail && <Detail detail={detail} />}
        </li>
      ))}
    </ol>
  );
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
