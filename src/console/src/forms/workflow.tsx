// ComfyUI's workflows and InvokeAI's graphs: a file, and the values in it.

import type { JSX } from "preact";
import { Button } from "../components/ui";
import { useShared } from "../context";
import { isObject, type Json, type JsonObject } from "../types";
import { DropZone } from "./dropzone";
import { GRAPH, WORKFLOW } from "./examples";
import { NodeFields, type NodeView } from "./nodes";

const MAX_BYTES = 5_000_000; // a request has 6 MB at most

interface FormProps {
  content: JsonObject;
  change: (content: JsonObject) => void;
}

export function Workflow({ content, change }: FormProps): JSX.Element {
  const { text } = useShared();
  const inner = isObject(content.prompt) ? content.prompt : content;
  const place = inner === content ? "task.content" : "task.content.prompt";
  const nodes = Object.entries(inner).flatMap(([id, node]): NodeView[] => {
    if (!isObject(node) || !isObject(node.inputs)) {
      return [];
    }
    const named = isObject(node._meta) && typeof node._meta.title === "string" ? node._meta.title : "";
    return [{ id, title: named || String(node.class_type), values: node.inputs, path: `${place}.${id}.inputs` }];
  });
  const set = (id: string, name: string, value: Json) => {
    const node = inner[id] as JsonObject;
    const changed = { ...inner, [id]: { ...node, inputs: { ...(node.inputs as JsonObject), [name]: value } } };
    change(inner === content ? changed : { ...content, prompt: changed });
  };
  const take = async (file: File) => {
    const found = await parsed(file);
    if (Array.isArray(found.nodes)) {
      throw new Error(text.t("editorFormat"));
    }
    change(isObject(found.prompt) ? { prompt: found.prompt } : found);
  };
  return (
    <>
      <DropZone
        label={text.t("workflowFile")}
        accept=".json,application/json"
        take={take}
        hint={text.t("workflowHint")}
      />
      {!nodes.length && <Example use={() => change(structuredClone(WORKFLOW))} />}
      <NodeFields nodes={nodes} change={set} />
    </>
  );
}

export function Graph({ content, change }: FormProps): JSX.Element {
  const { text } = useShared();
  const batch = isObject(content.batch) ? content.batch : null;
  const graph = batch && isObject(batch.graph) ? batch.graph : isObject(content.graph) ? content.graph : {};
  const own = isObject(graph.nodes) ? graph.nodes : {};
  const place = batch ? "task.content.batch.graph.nodes" : "task.content.graph.nodes";
  const nodes = Object.entries(own).flatMap(([id, node]): NodeView[] =>
    isObject(node) ? [{ id, title: String(node.type), values: node, path: `${place}.${id}` }] : [],
  );
  const set = (id: string, name: string, value: Json) => {
    const changed = { ...graph, nodes: { ...own, [id]: { ...(own[id] as JsonObject), [name]: value } } };
    change(batch ? { ...content, batch: { ...batch, graph: changed } } : { ...content, graph: changed });
  };
  const take = async (file: File) => {
    const found = await parsed(file);
    change(isObject(found.graph) || isObject(found.batch) ? found : { graph: found });
  };
  return (
    <>
      <DropZone label={text.t("graphFile")} accept=".json,application/json" take={take} hint={text.t("graphHint")} />
      {!nodes.length && <Example use={() => change(structuredClone(GRAPH))} />}
      <NodeFields nodes={nodes} change={set} />
    </>
  );
}

function Example({ use }: { use: () => void }): JSX.Element {
  const { text } = useShared();
  return (
    <div class="wide">
      <Button onClick={use}>{text.t("useExample")}</Button>
    </div>
  );
}

async function parsed(file: File): Promise<JsonObject> {
  if (file.size > MAX_BYTES) {
    throw new Error(`${file.name}: ${file.size} > ${MAX_BYTES} bytes`);
  }
  const found: unknown = JSON.parse(await file.text());
  if (!isObject(found)) {
    throw new Error(`${file.name}: not a JSON object`);
  }
  return found;
}
