// Places of the page are behind the `#`, so that one route of the API serves all of them.

import { useEffect, useState } from "preact/hooks";

export type Route =
  | { view: "gallery"; query: URLSearchParams }
  | { view: "task"; id: string }
  | { view: "new"; query: URLSearchParams }
  | { view: "runtimes" };

export function routeOf(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const query = new URLSearchParams(search);
  const [first, second] = path.split("/");
  if (first === "tasks" && second) {
    return { view: "task", id: decodeURIComponent(second) };
  }
  if (first === "new") {
    return { view: "new", query };
  }
  return first === "runtimes" ? { view: "runtimes" } : { view: "gallery", query };
}

export const hrefs = {
  gallery: (query?: URLSearchParams): string => (query?.size ? `#/?${query}` : "#/"),
  task: (id: string): string => `#/tasks/${encodeURIComponent(id)}`,
  create: (from?: string): string => (from ? `#/new?from=${encodeURIComponent(from)}` : "#/new"),
  runtimes: (): string => "#/runtimes",
};

export function go(href: string): void {
  location.hash = href;
}

/** Change the address without a new entry in the history. */
export function replace(href: string): void {
  history.replaceState(null, "", href);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return routeOf(hash);
}
