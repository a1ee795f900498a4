// What a task's record in S3 says: the runtime's full answer, of which each runtime has its own.

import { isObject, type Json, type JsonObject, type Submission, type Task } from "./types";

const CACHED = 500;

export interface Facts {
  prompt: string | null;
  negative: string | null;
  seeds: string[];
  model: string | null;
  size: string | null;
  steps: number | null;
  sampler: string | null;
  seconds: number | null;
}

const records = new Map<string, Promise<JsonObject | null>>();

/** The record; null where there is none, or where it cannot be read. */
export function recordOf(task: Task): Promise<JsonObject | null> {
  const url = task.urls.record_url;
  if (!url) {
    return Promise.resolve(null);
  }
  const name = `${task.id} ${task.urls.record}`;
  let found = records.get(name);
  if (!found) {
    found = read(url).then((record) => {
      if (!record) {
        records.delete(name);
      }
      return record;
    });
    records.set(name, found);
    if (records.size > CACHED) {
      records.delete(records.keys().next().value as string);
    }
  }
  return found;
}

async function read(url: string): Promise<JsonObject | null> {
  try {
    const response = await fetch(url);
    const record: unknown = response.ok ? await response.json() : null;
    return isObject(record) ? record : null;
  } catch {
    return null;
  }
}

export function factsOf(record: JsonObject): Facts {
  const ran = at(record, "task", "ran");
  const seeds = isObject(ran) && Array.isArray(ran.seeds) ? ran.seeds.map(String) : [];
  const parameters = record.parameters;
  const content = isObject(parameters) ? parameters : nodesOf(record);
  return {
    prompt: text(content?.prompt),
    negative: text(content?.negative_prompt),
    seeds,
    model: isObject(ran) ? text(ran.model) : null,
    size: content?.width && content.height ? `${content.width} × ${content.height}` : null,
    steps: number(content?.steps),
    sampler: text(content?.sampler_name) ?? text(content?.sampler_index),
    seconds: isObject(ran) ? number(ran.seconds) : null,
  };
}

/** The request that makes the task again, as far as the record tells; null where it does not. */
export function requestOf(task: Task, record: JsonObject): Submission | null {
  const content = contentOf(record);
  if (!content) {
    return null;
  }
  const prefix = task.urls.record?.replace(/^s3:\/\/[^/]+\//, "").replace(/\/[^/]+\/[^/]+$/, "") ?? "output";
  return {
    task: { metadata: { runtime: task.runtime, tasktype: task.tasktype, prefix }, content },
    ...(Object.keys(task.labels).length ? { options: { labels: task.labels } } : {}),
  };
}

function contentOf(record: JsonObject): JsonObject | null {
  if (isObject(record.parameters)) {
    return parametersOf(record.parameters, factsOf(record).seeds);
  }
  const workflow = Array.isArray(record.prompt) ? record.prompt[2] : null;
  if (isObject(workflow)) {
    return workflow;
  }
  const graph = at(record, "items", 0, "session", "graph");
  return isObject(graph) ? { graph: { nodes: graph.nodes ?? {}, edges: graph.edges ?? [] } } : null;
}

const KEPT = [
  "prompt",
  "negative_prompt",
  "styles",
  "init_images",
  "mask",
  "mask_blur",
  "inpainting_fill",
  "inpaint_full_res",
  "resize_mode",
  "denoising_strength",
  "sampler_name",
  "scheduler",
  "steps",
  "cfg_scale",
  "width",
  "height",
  "batch_size",
  "n_iter",
  "seed",
  "enable_hr",
  "hr_scale",
  "hr_upscaler",
  "hr_second_pass_steps",
  "override_settings",
  "alwayson_scripts",
];

/** SD WebUI answers with every parameter that it knows; those that were not given are null, false or empty. */
function parametersOf(parameters: JsonObject, seeds: string[]): JsonObject {
  const kept: JsonObject = {};
  for (const name of KEPT) {
    const value = parameters[name];
    const empty = value === null || value === undefined || value === false || value === "";
    if (
      !empty &&
      !(isObject(value) && Object.keys(value).length === 0) &&
      !(name.startsWith("hr_") && !kept.enable_hr)
    ) {
      kept[name] = value;
    }
  }
  if (seeds[0] && Number.isSafeInteger(Number(seeds[0]))) {
    kept.seed = Number(seeds[0]);
  }
  return kept;
}

/** Prompt, size and steps, wherever the nodes of a workflow or of a graph have them. */
function nodesOf(record: JsonObject): JsonObject | null {
  const content = contentOf(record);
  const nodes = isObject(content?.graph) ? content.graph.nodes : content;
  if (!isObject(nodes)) {
    return null;
  }
  const found: JsonObject = {};
  for (const node of Object.values(nodes).filter(isObject)) {
    const inputs = isObject(node.inputs) ? node.inputs : node;
    found.steps ??= number(inputs.steps);
    found.sampler_name ??= text(inputs.sampler_name) ?? text(inputs.scheduler);
    if (number(inputs.width) && number(inputs.height)) {
      found.width ??= inputs.width as number;
      found.height ??= inputs.height as number;
    }
    found.prompt ??= linked(nodes, inputs.positive);
    found.negative_prompt ??= linked(nodes, inputs.negative);
  }
  found.prompt ??= firstPrompt(nodes);
  return found;
}

/** The text of the node that an input of a ComfyUI node comes from. */
function linked(nodes: JsonObject, input: Json | undefined): string | null {
  const node = Array.isArray(input) ? nodes[String(input[0])] : null;
  return isObject(node) && isObject(node.inputs) ? text(node.inputs.text) : null;
}

function firstPrompt(nodes: JsonObject): string | null {
  for (const node of Object.values(nodes).filter(isObject)) {
    const prompt = text(node.prompt) ?? (isObject(node.inputs) ? text(node.inputs.text) : null);
    if (prompt) {
      return prompt;
    }
  }
  return null;
}

function at(value: Json | undefined, ...path: (string | number)[]): Json | undefined {
  for (const part of path) {
    value = isObject(value) ? value[part] : Array.isArray(value) ? value[part as number] : undefined;
  }
  return value;
}

function text(value: Json | undefined): string | null {
  return typeof value === "string" && value ? value : null;
}

function number(value: Json | undefined): number | null {
  return typeof value === "number" ? value : null;
}
