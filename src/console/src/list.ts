// The tasks that the gallery shows, a page at a time. It outlives the view, so that the way back leads to the same place.

import type { Api } from "./api";
import { type Filter, hasEnded, type Output, type Page, type Task } from "./types";

export const PAGE = 40;
const MAX_PAGE = 100; // the API's
const MAX_PAGES = 10; // without a task that fits, before the reader is asked
const MARGIN_MS = 5 * 60_000;

export interface List {
  filter: Filter;
  tasks: Task[];
  next: string | null;
  /** Whether the first page has been read. */
  read: boolean;
  scroll: number;
}

let kept: List | null = null;

function emptyList(filter: Filter): List {
  return { filter, tasks: [], next: null, read: false, scroll: 0 };
}

export function keptList(filter: Filter): List {
  return kept && sameFilter(kept.filter, filter) ? kept : emptyList(filter);
}

export function keep(list: List | null): void {
  kept = list;
}

export function sameFilter(one: Filter, other: Filter): boolean {
  return one.status === other.status && one.runtime === other.runtime && one.label === other.label;
}

/** The list with its newest tasks as they are now. */
export async function refreshed(api: Api, list: List, signal: AbortSignal): Promise<List> {
  const limit = list.read ? Math.min(MAX_PAGE, Math.max(PAGE, list.tasks.length)) : PAGE;
  const page = await api.list(list.filter, { limit, links: 1, signal });
  const known = new Map(list.tasks.map((task) => [task.id, task]));
  const newest = page.tasks.map((task) => withKnownLinks(task, known.get(task.id)));
  const shown = new Set(newest.map((task) => task.id));
  const oldest = newest.at(-1)?.created ?? "";
  const others = list.tasks.filter((task) => !shown.has(task.id) && page.next !== null && task.created <= oldest);
  const next = others.length ? list.next : page.next;
  return { ...list, tasks: [...newest, ...others], next, read: true };
}

/** The list with one page more. With filters, pages may be empty and still not be the last. */
export async function extended(api: Api, list: List, signal: AbortSignal): Promise<List> {
  let { next } = list;
  const added: Task[] = [];
  for (let number = 0; next && !added.length && number < MAX_PAGES; number++) {
    const page: Page = await api.list(list.filter, { limit: PAGE, links: 1, cursor: next, signal });
    added.push(...page.tasks);
    next = page.next;
  }
  const shown = new Set(list.tasks.map((task) => task.id));
  return { ...list, tasks: [...list.tasks, ...added.filter((task) => !shown.has(task.id))], next };
}

/** Every answer has new links; a browser would load each image again for them. */
function withKnownLinks(task: Task, known: Task | undefined): Task {
  if (!known || known.revision !== task.revision || !hasEnded(known)) {
    return task;
  }
  const soon = Date.now() + MARGIN_MS;
  const fresh = (output: Output) => !output.url_expires || Date.parse(output.url_expires) > soon;
  return known.outputs.every(fresh) ? known : task;
}
