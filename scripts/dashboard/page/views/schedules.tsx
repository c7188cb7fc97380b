import { act } from "../api.ts";
import type { Schedule } from "../answers.ts";
import { distance, moment } from "../format.ts";
import { useLive } from "../live.ts";
import { ask } from "../parts/ask.tsx";
import { Badge } from "../parts/badge.tsx";
import { Loaded, Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { goTo, linkTo } from "../router.ts";

export function Schedules() {
  const live = useLive<Schedule[]>("schedules");
  return (
    <Page title="Schedules">
      <p class="quiet lead">What is enqueued by the clock.</p>
      <Loaded live={live}>
        {(schedules) => (
          <Table
            label="Schedules"
            rows={schedules}
            empty={
              <>
                There is no schedule. The SQL function <code>put_schedule</code> makes one.
              </>
            }
            columns={[
              {
                head: "Schedule",
                cell: ({ name, type, paused }) => (
                  <>
                    <span class="beside">
                      <b class="text">{name}</b>
                      {paused && <Badge state="paused" />}
                    </span>
                    <span class="below quiet text">enqueues {type}</span>
                  </>
                ),
              },
              {
                head: "When",
                cell: ({ cron, time_zone }) => (
                  <span class="beside">
                    <code class="text">{cron}</code> <span class="quiet text">{time_zone}</span>
                  </span>
                ),
              },
              {
                head: "Next",
                cell: ({ paused, next_ticks }) => <Next paused={paused} ticks={next_ticks} />,
              },
              {
                head: "Last",
                cell: ({ last_tick, last_task, problem }) => (
                  <>
                    {last_task
                      ? (
                        <a href={linkTo(["tasks", last_task])}>
                          <Time at={last_tick} />
                        </a>
                      )
                      : <Time at={last_tick} />}
                    {problem && <span class="bad text cut" title={problem}>{problem}</span>}
                  </>
                ),
              },
              {
                head: "",
                width: "13rem",
                isNumber: true,
                cell: ({ name, paused }) => (
                  <span class="buttons">
                    <button
                      type="button"
                      aria-label={`Run now ${name}`}
                      onClick={() => runNow(name)}
                    >
                      Run now
                    </button>
                    <button
                      type="button"
                      aria-label={`${paused ? "Resume" : "Pause"} ${name}`}
                      onClick={() => paused ? resume(name) : pause(name)}
                    >
                      {paused ? "Resume" : "Pause"}
                    </button>
                  </span>
                ),
              },
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}

function Next({ paused, ticks }: { paused: boolean; ticks: string[] | null }) {
  const [next, ...later] = ticks ?? [];
  if (paused || !next) return <span class="quiet">–</span>;
  return (
    <>
      <Time at={next} />
      {later.length > 0 && (
        <span class="quiet small" title={later.map(moment).join(", ")}>
          then {distance(later[0], Date.now())}
        </span>
      )}
    </>
  );
}

function runNow(name: string): void {
  ask({
    title: `Run ${name} now?`,
    says: "Its task is enqueued once more, now. When it is due next stays as it is.",
    verb: "Run it now",
    async run() {
      const id = await act("run_schedule_now", { name }) as string | null;
      if (id === null) return "There is no schedule of this name any more.";
      goTo(linkTo(["tasks", id]));
      return "Its task was enqueued; here it is.";
    },
  });
}

function pause(name: string): void {
  ask({
    title: `Pause ${name}?`,
    says:
      "Nothing is enqueued by it until it is resumed. What it was due for meanwhile is left out.",
    verb: "Pause it",
    run: async () =>
      await act("pause_schedule", { name }) ? "Paused." : "There is no such schedule.",
  });
}

function resume(name: string): void {
  ask({
    title: `Resume ${name}?`,
    says: "It goes on with the next moment it is due. What it was due for meanwhile is left out.",
    verb: "Resume it",
    async run() {
      const next = await act("resume_schedule", { name }) as string | null;
      return next ? `Resumed; due next ${moment(next)}.` : "There is no such schedule.";
    },
  });
}
