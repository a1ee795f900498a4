import type { JSX } from "preact";
import { useShared } from "../context";
import type { JsonObject } from "../types";
import type { Draft } from "./draft";
import { ImageToImage, OneImage, TextToImage, Upscale } from "./webui";
import { Graph, Workflow } from "./workflow";

type Form = (props: { content: JsonObject; change: (content: JsonObject) => void }) => JSX.Element;

const FORMS: Record<string, Form> = {
  "text-to-image": TextToImage,
  "image-to-image": ImageToImage,
  "extra-single-image": Upscale,
  pipeline: Workflow,
  graph: Graph,
  "super-resolution": OneImage,
  "human-segmentation": OneImage,
  ocr: OneImage,
};

/** The fields of the task's type; for other types there is the JSON. */
export function ContentForm({ draft, change }: { draft: Draft; change: (content: JsonObject) => void }): JSX.Element {
  const { text } = useShared();
  const Fields = FORMS[draft.tasktype];
  return (
    <fieldset class="card fields">
      <legend>{text.named("tasktype.", draft.tasktype)}</legend>
      {Fields ? (
        <Fields key={draft.tasktype} content={draft.content} change={change} />
      ) : (
        <p class="wide">{text.t("noForm")}</p>
      )}
    </fieldset>
  );
}
