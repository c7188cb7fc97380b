import type { ComponentType } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Asking } from "./parts/ask.tsx";
import { Icon, type IconName } from "./parts/icon.tsx";
import { linkTo, type Route, useRoute } from "./router.ts";
import { Backlog } from "./views/backlog.tsx";
import { Claims } from "./views/claims.tsx";
import { Dispatches } from "./views/dispatches.tsx";
import { Doctor } from "./views/doctor.tsx";
import { Effects } from "./views/effects.tsx";
import { Gates } from "./views/gates.tsx";
import { Nowhere } from "./views/nowhere.tsx";
import { Overview } from "./views/overview.tsx";
import { Schedules } from "./views/schedules.tsx";
import { Task } from "./views/task.tsx";
import { TASK_ID } from "./views/task_filter.ts";
import { Tasks } from "./views/tasks.tsx";
import { Workers } from "./views/workers.tsx";

interface Page {
  path: string;
  name: string;
  icon: IconName;
  View: ComponentType<Route>;
}

const VIEWS: Page[] = [
  { path: "", name: "Overview", icon: "overview", View: Overview },
  { path: "backlog", name: "Backlog", icon: "backlog", View: Backlog },
  { path: "tasks", name: "Tasks", icon: "tasks", View: Tasks },
  { path: "workers", name: "Workers", icon: "workers", View: Workers },
  { path: "claims", name: "Claims", icon: "claims", View: Claims },
  { path: "gates", name: "Gates", icon: "gates", View: Gates },
  { path: "schedules", name: "Schedules", icon: "schedules", View: Schedules },
  { path: "effects", name: "Effects", icon: "effects", View: Effects },
  { path: "dispatches", name: "Dispatches", icon: "dispatches", View: Dispatches },
  { path: "doctor", name: "Doctor", icon: "doctor", View: Doctor },
];

const TASK: Page = { path: "tasks", name: "Task", icon: "tasks", View: Task };
const NOWHERE = { path: null, name: "No such page", View: Nowhere };

export function App() {
  const route = useRoute();
  const { path, name, View } = pageOf(route.path);
  const where = route.path.join("/");
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${name} · Dibs`;
    // Somebody who reads by ear learns that another page is there.
    if (!isFirst.current) {
      main.current!.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    }
    isFirst.current = false;
    document.querySelector("nav [aria-current]")
      ?.scrollIntoView({ inline: "center", block: "nearest" });
  }, [where]);
  // Another page begins at its top, and who comes back is where they were.
  useLayoutEffect(() => scrollTo(0, route.leftAt ?? 0), [where, route.query.before]);

  const skip = (event: Event) => {
    event.preventDefault();
    main.current!.querySelector<HTMLElement>("h1")?.focus();
  };
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>Skip to the page</a>
      <nav aria-label="Pages">
        <a class="brand" href={linkTo([])} aria-label="Dibs, overview">
          <img src="assets/icon.svg" alt="" width="26" height="26" /> Dibs
        </a>
        <ul>
          {VIEWS.map((one) => (
            <li key={one.path}>
              <a
                href={linkTo(one.path ? [one.path] : [])}
                aria-current={one.path === path ? "page" : undefined}
              >
                <Icon name={one.icon} /> {one.name}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <main ref={main} id="main">
        <View key={where} {...route} />
      </main>
      <Asking />
    </>
  );
}

function pageOf([first = "", second, ...rest]: string[]) {
  if (rest.length > 0) return NOWHERE;
  if (first === "tasks" && second !== undefined) return TASK_ID.test(second) ? TASK : NOWHERE;
  return second === undefined && VIEWS.find(({ path }) => path === first) || NOWHERE;
}
