// The values of a workflow's or a graph's nodes, as fields.

import type { JSX } from "preact";
import { isObject, type Json, type JsonObject } from "../types";
import { ImageInput } from "./dropzone";
import { NumberInput, SeedInput, TextInput } from "./fields";

const OPEN = 3; // nodes that are open at first
const LONG = 40; // characters of a text that gets more than a line
const PROMPTS = new Set(["text", "prompt", "positive_prompt", "negative_prompt"]);

export interface NodeView {
  id: string;
  title: string;
  values: JsonObject;
  /** The path of the values in the API's errors. */
  path: string;
}

interface NodesProps {
  nodes: NodeView[];
  change: (id: string, name: string, value: Json) => void;
}

export function NodeFields({ nodes, change }: NodesProps): JSX.Element {
  const editable = nodes
    .map((node) => ({ node, fields: Object.entries(node.values).filter(([name, value]) => isEditable(name, value)) }))
    .filter(({ fields }) => fields.length)
    .sort((one, other) => weight(other.fields) - weight(one.fields));
  return (
    <div class="nodes wide">
      {editable.map(({ node, fields }, index) => (
        <details key={node.id} open={index < OPEN}>
          <summary>
            {node.title} <span class="muted">{node.id}</span>
          </summary>
          <div class="fields">
            {fields.map(([name, value]) => (
              <NodeValue
                key={name}
                name={name}
                value={value}
                field={`${node.path}.${name}`}
                change={(to) => change(node.id, name, to)}
              />
            ))}
          </div>
        </details>
      ))}
    </div>
  );
}

/** Prompts and images first, then seeds, then the rest. */
function weight(fields: [string, Json][]): number {
  if (fields.some(([name, value]) => PROMPTS.has(name) || isImage(name, value))) {
    return 2;
  }
  return fields.some(([name]) => name.includes("seed")) ? 1 : 0;
}

function isEditable(name: string, value: Json): boolean {
  const plain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  return (plain || isImage(name, value)) && name !== "id" && name !== "type";
}

function isImage(name: string, value: Json): boolean {
  return (name === "image" && typeof value === "string") || (isObject(value) && typeof value.image_name === "string");
}

interface NodeValueProps {
  name: string;
  value: Json;
  field: string;
  change: (value: Json) => void;
}

function NodeValue({ name, value, field, change }: NodeValueProps): JSX.Element {
  const shared = { label: name, value, field };
  if (isImage(name, value)) {
    const inner = isObject(value) ? String(value.image_name) : String(value);
    const changed = (link: string) => change(isObject(value) ? { ...value, image_name: link } : link);
    return <ImageInput label={name} field={field} value={inner} change={changed} />;
  }
  if (typeof value === "boolean") {
    return (
      <label class="check">
        <input type="checkbox" checked={value} onChange={(event) => change(event.currentTarget.checked)} />
        {name}
      </label>
    );
  }
  if (typeof value === "number") {
    const given = (to: number | undefined) => change(to ?? 0);
    return name.includes("seed") ? (
      <SeedInput {...shared} change={given} />
    ) : (
      <NumberInput {...shared} step={Number.isInteger(value) ? 1 : "any"} change={given} />
    );
  }
  const long = PROMPTS.has(name) || String(value).length > LONG;
  return <TextInput {...shared} long={long} change={(to) => change(to ?? "")} />;
}
