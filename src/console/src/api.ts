// The task API, at the page's own origin.

import type { Filter, Page, Runtime, Submission, Task, Upload } from "./types";

const REQUEST_MS = 40_000; // API Gateway itself gives up after 29 s

/** An answer that is an error, or none at all: then `status` is 0. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly fields: { field: string; problem: string }[] = [],
  ) {
    super(message);
  }
}

/** `links` outputs of each task come with a link. */
export interface ListOptions {
  limit: number;
  links: number;
  cursor?: string | null;
  signal?: AbortSignal;
}

/** `…/prod/`: where the page is, without its own name. */
export function endpointOf(location: { origin: string; pathname: string }): string {
  return `${location.origin}${location.pathname.replace(/\/?console\/*$/, "")}/`;
}

export class Api {
  constructor(
    readonly endpoint: string,
    private readonly key: string,
    private readonly refused: () => void = () => {},
  ) {}

  async list(filter: Partial<Filter>, { limit, cursor, links, signal }: ListOptions): Promise<Page> {
    const query = new URLSearchParams({ limit: String(limit), links: String(links) });
    for (const [name, value] of Object.entries({ ...filter, cursor })) {
      if (value) {
        query.set(name, value);
      }
    }
    return (await this.call(`v1alpha2/tasks?${query}`, signal ? { signal } : {})).json();
  }

  /** The task, or null when `tag` is still its revision after `seconds`. */
  async task(
    id: string,
    { tag, seconds, signal }: { tag?: string | null; seconds?: number; signal?: AbortSignal } = {},
  ): Promise<{ task: Task; tag: string | null } | null> {
    const headers: Record<string, string> = {};
    if (tag) {
      headers["If-None-Match"] = tag;
    }
    if (seconds) {
      headers.Prefer = `wait=${seconds}`;
    }
    const response = await this.call(path(id), { headers, ...(signal ? { signal } : {}) });
    return response.status === 304 ? null : { task: await response.json(), tag: response.headers.get("ETag") };
  }

  /** With the same `id` the same request is sent once, however often it is repeated. */
  async submit(submission: Submission, id: string): Promise<Task> {
    const headers: Record<string, string> = submission.task.metadata.id ? {} : { "Idempotency-Key": id };
    return (await this.post("v1alpha2/tasks", submission, headers)).json();
  }

  async cancel(id: string): Promise<Task> {
    return (await this.post(`${path(id)}/cancel`)).json();
  }

  async runtimes(signal?: AbortSignal): Promise<Runtime[]> {
    return (await (await this.call("v1alpha2/runtimes", signal ? { signal } : {})).json()).runtimes;
  }

  /** Returns the `s3://` link for a task's content. */
  async upload(file: File): Promise<string> {
    const body = { bytes: file.size, name: safeName(file.name), ...(file.type ? { type: file.type } : {}) };
    const upload: Upload = await (await this.post("v1alpha2/files", body)).json();
    const headers = new Headers(upload.headers);
    headers.delete("Content-Length"); // the browser sends it by itself, and lets nobody else
    const response = await send(upload.url, { method: upload.method, headers, body: file });
    if (!response.ok) {
      throw new ApiError(response.status, `S3 answered ${response.status} to the upload`);
    }
    return upload.s3;
  }

  private post(where: string, body?: unknown, more: Record<string, string> = {}): Promise<Response> {
    const headers = { ...more, "Content-Type": "application/json" };
    return this.call(where, { method: "POST", ...(body ? { headers, body: JSON.stringify(body) } : {}) });
  }

  private async call(where: string, init: RequestInit): Promise<Response> {
    const headers = { ...(init.headers as Record<string, string>), "x-api-key": this.key };
    const response = await send(`${this.endpoint}${where}`, { ...init, headers, cache: "no-store" });
    if (response.ok || response.status === 304) {
      return response;
    }
    if (response.status === 401 || response.status === 403) {
      this.refused();
    }
    const said = await response.json().catch(() => ({}));
    throw new ApiError(response.status, said.message ?? `HTTP ${response.status}`, said.errors ?? []);
  }
}

async function send(url: string, init: RequestInit): Promise<Response> {
  const late = AbortSignal.timeout(REQUEST_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, late]) : late;
  try {
    return await fetch(url, { ...init, signal });
  } catch (error) {
    if (init.signal?.aborted) {
      throw error;
    }
    throw new ApiError(0, error instanceof Error ? error.message : String(error));
  }
}

function path(id: string): string {
  return `v1alpha2/tasks/${encodeURIComponent(id)}`;
}

/** A name that the API takes for a file. */
function safeName(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9._-]+/g, "-").slice(-64);
  return /[^.]/.test(safe) ? safe : "file";
}
