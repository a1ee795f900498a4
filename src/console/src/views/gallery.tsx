import type { JSX } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api";
import { Button, Empty, Notice } from "../components/ui";
import { useShared } from "../context";
import { useNow, usePolling } from "../hooks";
import { extended, keep, keptList, type List, refreshed, sameFilter } from "../list";
import { hrefs, replace } from "../router";
import { type Filter, STATUSES, type Status } from "../types";
import { Filters } from "./filters";
import { Tile } from "./tile";

const REFRESH_MS = 4000;
const CLOCK_MS = 10_000;

export function Gallery({ query }: { query: URLSearchParams }): JSX.Element {
  const { text } = useShared();
  const filter = filterOf(query);
  const { list, error, busy, more } = useList(filter);
  const now = useNow(CLOCK_MS);
  useScroll(list);
  const change = (changed: Filter) => {
    keep(null);
    replace(hrefs.gallery(queryOf(changed)));
  };
  const filtered = Boolean(filter.status || filter.runtime || filter.label);
  return (
    <section aria-labelledby="gallery-title">
      <div class="page-head">
        <h1 id="gallery-title">{text.t("gallery")}</h1>
        <a class="button primary on-desktop" href={hrefs.create()}>
          {text.t("newTask")}
        </a>
      </div>
      <Filters filter={filter} change={change} />
      {error && <Notice title={text.t("notRead")}>{error.message}</Notice>}
      {list.read && !list.tasks.length && !list.next && (
        <Empty icon="gallery" title={text.t(filtered ? "noMatch" : "noTasks")}>
          {!filtered && <p>{text.t("noTasksHint")}</p>}
        </Empty>
      )}
      {!list.read && !error && <Skeleton />}
      <ul class="gallery" aria-busy={busy}>
        {list.tasks.map((task) => (
          <Tile key={task.id} task={task} now={now} />
        ))}
      </ul>
      {list.next && <More busy={busy} more={more} />}
    </section>
  );
}

function useList(filter: Filter) {
  const { api } = useShared();
  const [list, setList] = useState<List>(() => keptList(filter));
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const current = useRef(list);
  const show = (next: List) => {
    current.current = next;
    setList(next);
    keep(next);
  };
  const failed = (problem: unknown) => {
    if (problem instanceof ApiError) {
      setError(problem);
    }
  };
  if (!sameFilter(current.current.filter, filter)) {
    current.current = keptList(filter);
    setList(current.current);
  }
  usePolling(
    async (signal) => {
      const before = current.current;
      try {
        const next = await refreshed(api, before, signal);
        if (current.current === before) {
          show(next);
        }
        setError(null);
      } catch (problem) {
        failed(problem);
      }
    },
    REFRESH_MS,
    [api, filter.status, filter.runtime, filter.label],
  );
  const more = useCallback(async () => {
    const before = current.current;
    setBusy(true);
    try {
      const next = await extended(api, before, new AbortController().signal);
      if (current.current.filter === before.filter) {
        show(next);
      }
    } catch (problem) {
      failed(problem);
    } finally {
      setBusy(false);
    }
  }, [api]);
  return { list, error, busy, more };
}

/** Loads the next page when the reader comes near the end, or presses the button. */
function More({ busy, more }: { busy: boolean; more: () => Promise<void> }): JSX.Element {
  const { text } = useShared();
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const watch = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting && !busy) {
          void more();
        }
      },
      { rootMargin: "600px" },
    );
    if (place.current) {
      watch.observe(place.current);
    }
    return () => watch.disconnect();
  }, [busy, more]);
  return (
    <div class="more" ref={place}>
      <Button onClick={more} disabled={busy}>
        {text.t(busy ? "loading" : "loadMore")}
      </Button>
    </div>
  );
}

/** Comes back to where the reader left. */
function useScroll(list: List): void {
  const shown = useRef(list);
  shown.current = list;
  useLayoutEffect(() => {
    scrollTo(0, shown.current.scroll);
    const scrolled = () => {
      shown.current.scroll = scrollY;
    };
    addEventListener("scroll", scrolled, { passive: true });
    return () => removeEventListener("scroll", scrolled);
  }, []);
}

function Skeleton(): JSX.Element {
  return (
    <div class="gallery" aria-hidden="true">
      {[1, 2, 3, 4, 5, 6, 7, 8].map((one) => (
        <div key={one} class="tile skeleton">
          <div class="tile-media" />
        </div>
      ))}
    </div>
  );
}

function filterOf(query: URLSearchParams): Filter {
  const status = query.get("status") ?? "";
  return {
    status: (STATUSES as readonly string[]).includes(status) ? (status as Status) : "",
    runtime: query.get("runtime") ?? "",
    label: query.get("label") ?? "",
  };
}

function queryOf(filter: Filter): URLSearchParams {
  return new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
}
