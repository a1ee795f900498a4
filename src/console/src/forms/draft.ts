// A request while it is written.

import { isObject, type JsonObject, type Runtime, type Submission } from "../types";

export interface Draft {
  runtime: string;
  tasktype: string;
  /** Empty: the API makes one. */
  id: string;
  prefix: string;
  content: JsonObject;
  deadline: string;
  /** `name:value`, separated by commas. */
  labels: string;
  webhook: string;
}

const TEXT_TO_IMAGE: JsonObject = { prompt: "", steps: 20, width: 512, height: 512 };
const STARTS: Record<string, JsonObject> = {
  "text-to-image": TEXT_TO_IMAGE,
  "image-to-image": { ...TEXT_TO_IMAGE, init_images: [], denoising_strength: 0.6 },
  "extra-single-image": { image: "", upscaling_resize: 2, upscaler_1: "Lanczos" },
};

const ID_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";
const ID_LENGTH = 12; // 60 bits: of a million tasks two have the same id with a probability below 10^-6

export function newId(): string {
  const random = crypto.getRandomValues(new Uint8Array(ID_LENGTH));
  return `console-${[...random].map((byte) => ID_LETTERS[byte % ID_LETTERS.length]).join("")}`;
}

export function startOf(tasktype: string): JsonObject {
  return structuredClone(STARTS[tasktype] ?? {});
}

export function emptyDraft(runtime: Runtime): Draft {
  const tasktype = runtime.tasktypes[0] ?? "";
  const options = { deadline: "", labels: "", webhook: "" };
  return { runtime: runtime.name, tasktype, id: "", prefix: "output", content: startOf(tasktype), ...options };
}

/** The same request for another task: without its id. */
export function draftOf(submission: Submission): Draft {
  const { metadata, content } = submission.task;
  const options = submission.options ?? {};
  return {
    runtime: metadata.runtime,
    tasktype: metadata.tasktype,
    id: "",
    prefix: metadata.prefix,
    content,
    deadline: options.deadline ? String(options.deadline) : "",
    labels: Object.entries(options.labels ?? {})
      .map(([name, value]) => `${name}:${value}`)
      .join(", "),
    webhook: options.webhook?.url ?? "",
  };
}

export function submissionOf(draft: Draft): Submission {
  const { runtime, tasktype, prefix, content } = draft;
  const id = draft.id.trim();
  const options: NonNullable<Submission["options"]> = {};
  if (draft.deadline) {
    options.deadline = Number(draft.deadline);
  }
  const labels = labelsOf(draft.labels);
  if (Object.keys(labels).length) {
    options.labels = labels;
  }
  if (draft.webhook.trim()) {
    options.webhook = { url: draft.webhook.trim(), events: ["started", "ended"] };
  }
  return {
    task: { metadata: { ...(id ? { id } : {}), runtime, tasktype, prefix: prefix.trim() }, content },
    ...(Object.keys(options).length ? { options } : {}),
  };
}

function labelsOf(text: string): Record<string, string> {
  const pairs = text
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);
  return Object.fromEntries(
    pairs.map((pair) => {
      const colon = pair.indexOf(":");
      return colon < 0 ? [pair, ""] : [pair.slice(0, colon).trim(), pair.slice(colon + 1).trim()];
    }),
  );
}

/** A draft of what somebody wrote as JSON. Throws an Error when it is no request. */
export function draftFrom(text: string, before: Draft): Draft {
  const body: unknown = JSON.parse(text);
  const task = isObject(body) ? body.task : null;
  if (!isObject(task) || !isObject(task.metadata) || !isObject(task.content)) {
    throw new Error("task.metadata, task.content");
  }
  const { id, runtime, tasktype, prefix } = task.metadata;
  const draft = draftOf(body as unknown as Submission);
  return {
    ...draft,
    id: typeof id === "string" ? id : "",
    runtime: typeof runtime === "string" ? runtime : before.runtime,
    tasktype: typeof tasktype === "string" ? tasktype : before.tasktype,
    prefix: typeof prefix === "string" ? prefix : before.prefix,
  };
}
