// What the task API answers. Its OpenAPI document is the reference.

export const STATUSES = ["queued", "running", "completed", "failed", "canceled", "expired"] as const;
export type Status = (typeof STATUSES)[number];

export interface Output {
  n: number;
  type: string;
  bytes: number;
  s3: string;
  url: string | null;
  url_expires: string | null;
}

export interface Task {
  id: string;
  status: Status;
  revision: number;
  runtime: string;
  tasktype: string;
  labels: Record<string, string>;
  attempt: number;
  created: string;
  started: string | null;
  ended: string | null;
  deadline: string | null;
  expires: string | null;
  cancel_requested: string | null;
  queue: { waiting_for: "turn" | "pod" | "retry"; ahead: number | null; start_in: number | null } | null;
  progress: { value: number; updated: string | null } | null;
  outputs: Output[];
  outputs_omitted: number;
  error: { type: string; message: string; retryable: boolean } | null;
  usage: { gpu_seconds: number; usd: number | null } | null;
  webhook: { state: "pending" | "delivered" | "failed"; tries: number; last_status: number | null } | null;
  urls: { self: string; cancel: string; record: string | null; record_url: string | null };
}

export interface Page {
  tasks: Task[];
  next: string | null;
}

export interface Runtime {
  name: string;
  type: "sdwebui" | "comfyui" | "invokeai" | "imagekit";
  tasktypes: string[];
  model: string | null;
  dynamic_model: boolean;
  tasks: { waiting: number; taken: number } | null;
  pods: { ready: number; starting: number };
  mean_seconds: number | null;
  usd_per_task: number | null;
  start_in: number | null;
}

export interface Upload {
  s3: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  url_expires: string;
}

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

export interface Submission {
  task: {
    metadata: { id?: string; runtime: string; tasktype: string; prefix: string };
    content: JsonObject;
  };
  options?: {
    deadline?: number;
    labels?: Record<string, string>;
    webhook?: { url: string; events: string[] };
  };
}

export interface Filter {
  status: Status | "";
  runtime: string;
  label: string;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function hasEnded(task: Task): boolean {
  return task.status !== "queued" && task.status !== "running";
}
