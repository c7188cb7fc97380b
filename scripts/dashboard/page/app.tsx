import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Asking } from "./parts/ask.tsx";
import { Icon, type IconName } from "./parts/icon.tsx";
import { linkTo, type Route, useRoute } from "./router.ts";
import { Backlog } from "./views/backlog.tsx";
import { Claims } from "./views/claims.tsx";
import { Dispatches } from "./views/dispatches.tsx";
import { Doctor } from "./views/doctor.tsx";
import { Gates } from "./views/gates.tsx";
import { Overview } from "./views/overview.tsx";
import { Schedules } from "./views/schedules.tsx";
import { Task } from "./views/task.tsx";
import { Tasks } from "./views/tasks.tsx";
import { Workers } from "./views/workers.tsx";

const VIEWS: { path: string; name: string; icon: IconName; View: ComponentType<Route> }[] = [
  { path: "", name: "Overview", icon: "overview", View: Overview },
  { path: "backlog", name: "Backlog", icon: "backlog", View: Backlog },
  { path: "tasks", name: "Tasks", icon: "tasks", View: Tasks },
  { path: "workers", name: "Workers", icon: "workers", View: Workers },
  { path: "claims", name: "Claims", icon: "claims", View: Claims },
  { path: "gates", name: "Gates", icon: "gates", View: Gates },
  { path: "schedules", name: "Schedules", icon: "schedules", View: Schedules },
  { path: "dispatches", name: "Dispatches", icon: "dispatches", View: Dispatches },
  { path: "doctor", name: "Doctor", icon: "doctor", View: Doctor },
];

export function App() {
  const route = useRoute();
  const [first = "", second] = route.path;
  const found = VIEWS.find(({ path }) => path === first) ?? VIEWS[0];
  const View = first === "tasks" && second ? Task : found.View;
  const where = route.path.join("/");
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${second && first === "tasks" ? "Task" : found.name} · Dibs`;
    // Somebody who reads by ear learns that another page is there.
    if (!isFirst.current) main.current!.querySelector<HTMLElement>("h1")?.focus();
    isFirst.current = false;
    document.querySelector("nav [aria-current]")!
      .scrollIntoView({ inline: "center", block: "nearest" });
    scrollTo(0, 0);
  }, [where]);

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
          {VIEWS.map(({ path, name, icon }) => (
            <li key={path}>
              <a
                href={linkTo(path ? [path] : [])}
                aria-current={path === found.path ? "page" : undefined}
              >
                <Icon name={icon} /> {name}
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
