import { useEffect, useRef, useState } from "preact/hooks";
import type { Api } from "./api";
import { ApiError } from "./api";
import { hasEnded, type Task } from "./types";

const WAIT_SECONDS = 20; // the longest that the API waits for a change
const RETRY_MS = 3000;

/** Calls `work` now and every `ms`, one after the other, while the tab is visible. */
export function usePolling(work: (signal: AbortSignal) => Promise<void>, ms: number, again: unknown[]): void {
  const latest = useRef(work);
  latest.current = work;
  // Dependencies: the caller names them
  useEffect(() => {
    const stop = new AbortController();
    void (async () => {
      while (!stop.signal.aborted) {
        await visible(stop.signal);
        await latest.current(stop.signal).catch(() => {});
        await pause(ms, stop.signal);
      }
    })();
    return () => stop.abort();
  }, [ms, ...again]);
}

/** The present time, which moves on every `ms`. */
export function useNow(ms = 1000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), ms);
    return () => clearInterval(timer);
  }, [ms]);
  return now;
}

export interface Followed {
  task: Task | null;
  error: ApiError | null;
  /** Shows what another answer said before the next poll does. */
  update: (task: Task) => void;
}

/** A task, and every change of it: the API answers when there is one. */
export function useTask(api: Api, id: string): Followed {
  const [task, setTask] = useState<Task | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    setTask(null);
    setError(null);
    void follow(api, id, stop.signal, setTask, setError);
    return () => stop.abort();
  }, [api, id]);
  return { task, error, update: setTask };
}

async function follow(
  api: Api,
  id: string,
  signal: AbortSignal,
  found: (task: Task) => void,
  failed: (error: ApiError | null) => void,
): Promise<void> {
  let tag: string | null = null;
  while (!signal.aborted) {
    try {
      await visible(signal);
      const answer: { task: Task; tag: string | null } | null = await api.task(id, {
        tag,
        seconds: tag ? WAIT_SECONDS : 0,
        signal,
      });
      failed(null);
      if (answer) {
        tag = answer.tag;
        found(answer.task);
        if (hasEnded(answer.task) && answer.task.webhook?.state !== "pending") {
          return;
        }
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof ApiError)) {
        return;
      }
      failed(error);
      if (error.status === 404 || error.status === 401 || error.status === 403) {
        return;
      }
      await pause(RETRY_MS, signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Returns once the tab is visible: nobody reads the others. */
function visible(signal: AbortSignal): Promise<void> {
  if (document.visibilityState === "visible") {
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", () => resolve(), { once: true, signal });
    signal.addEventListener("abort", () => resolve());
  });
}
