import { useEffect, useState } from "preact/hooks";

/** Where one is: the part of the address after #, so that a view can be kept and sent to others. */
export interface Route {
  path: string[];
  query: Record<string, string>;
  /** How far down one was, when one comes back to it. */
  leftAt: number | null;
}

/** How far down one was at each step of the browser's history. The browser would go there too early. */
const places = new Map<string, number>();
let step = "";
history.scrollRestoration = "manual";

export function useRoute(): Route {
  const [route, setRoute] = useState(arrive);
  useEffect(() => {
    const follow = () => setRoute(arrive());
    const remember = () => places.set(step, scrollY);
    addEventListener("hashchange", follow);
    addEventListener("scroll", remember, { passive: true });
    return () => {
      removeEventListener("hashchange", follow);
      removeEventListener("scroll", remember);
    };
  }, []);
  return route;
}

/** The address of a view; what is empty is left out. */
export function linkTo(path: string[], query: Record<string, string | null | undefined> = {}) {
  const params = Object.entries(query).filter((entry): entry is [string, string] =>
    Boolean(entry[1])
  );
  const text = new URLSearchParams(params).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text && `?${text}`}`;
}

export function goTo(link: string): void {
  location.hash = link;
}

function arrive(): Route {
  step = history.state?.step ?? crypto.randomUUID();
  history.replaceState({ step }, "");
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return {
    path: path.split("/").filter(Boolean).map(decoded),
    query: Object.fromEntries(new URLSearchParams(query)),
    leftAt: places.get(step) ?? null,
  };
}

/** Somebody may have typed it. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
