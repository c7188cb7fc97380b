import { useEffect, useState } from "preact/hooks";

/** Where one is: the part of the address after #, so that a view can be kept and sent to others. */
export interface Route {
  path: string[];
  query: Record<string, string>;
}

export function useRoute(): Route {
  const [route, setRoute] = useState(parse);
  useEffect(() => {
    const follow = () => setRoute(parse());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
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

function parse(): Route {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return {
    path: path.split("/").filter(Boolean).map(decoded),
    query: Object.fromEntries(new URLSearchParams(query)),
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
