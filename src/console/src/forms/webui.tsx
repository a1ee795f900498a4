// What SD WebUI and the image kit take.

import type { JSX } from "preact";
import { useShared } from "../context";
import type { Json, JsonObject } from "../types";
import { ImageInput } from "./dropzone";
import { Choice, NumberInput, SeedInput, TextInput } from "./fields";

const SAMPLERS = ["Euler a", "Euler", "DPM++ 2M", "DPM++ SDE", "DPM++ 2M SDE", "Heun", "DDIM", "UniPC", "LCM"];
const UPSCALERS = ["Lanczos", "Nearest", "R-ESRGAN 4x+", "R-ESRGAN 4x+ Anime6B", "ESRGAN_4x", "SwinIR 4x", "LDSR"];

interface FormProps {
  content: JsonObject;
  change: (content: JsonObject) => void;
}

function fieldsOf({ content, change }: FormProps) {
  return (name: string) => ({
    value: content[name],
    field: `task.content.${name}`,
    change: (value: Json | undefined) => change(withValue(content, name, value)),
  });
}

/** The content with a value; undefined leaves it out. */
function withValue(content: JsonObject, name: string, value: Json | undefined): JsonObject {
  const { [name]: _, ...others } = content;
  return value === undefined ? others : { ...content, [name]: value };
}

export function TextToImage(props: FormProps): JSX.Element {
  return (
    <>
      <Prompts {...props} />
      <Sampling {...props} />
    </>
  );
}

export function ImageToImage(props: FormProps): JSX.Element {
  const { text } = useShared();
  const { content, change } = props;
  const images = Array.isArray(content.init_images) ? content.init_images : [];
  const [first] = images;
  return (
    <>
      <ImageInput
        label={text.t("startImage")}
        field="task.content.init_images"
        value={typeof first === "string" ? first : ""}
        change={(value) => change({ ...content, init_images: value ? [value, ...images.slice(1)] : [] })}
      />
      <Prompts {...props} />
      <NumberInput label={text.t("denoising")} step={0.05} min={0} max={1} {...fieldsOf(props)("denoising_strength")} />
      <Sampling {...props} />
    </>
  );
}

export function Upscale(props: FormProps): JSX.Element {
  const { text } = useShared();
  const field = fieldsOf(props);
  const { image } = props.content;
  return (
    <>
      <ImageInput
        label={text.t("image")}
        field="task.content.image"
        value={typeof image === "string" ? image : ""}
        change={(value) => props.change({ ...props.content, image: value })}
      />
      <NumberInput label={text.t("upscaleBy")} step={0.5} min={1} max={8} {...field("upscaling_resize")} />
      <Choice label={text.t("upscaler")} options={UPSCALERS} {...field("upscaler_1")} />
    </>
  );
}

/** The image kit's tasks, which take an image and nothing else. */
export function OneImage(props: FormProps): JSX.Element {
  const { text } = useShared();
  const { url } = props.content;
  return (
    <ImageInput
      label={text.t("image")}
      field="task.content.url"
      value={typeof url === "string" ? url : ""}
      change={(value) => props.change({ ...props.content, url: value })}
    />
  );
}

function Prompts(props: FormProps): JSX.Element {
  const { text } = useShared();
  const field = fieldsOf(props);
  return (
    <>
      <TextInput label={text.t("prompt")} placeholder={text.t("promptExample")} long {...field("prompt")} />
      <TextInput label={text.t("negativePrompt")} long {...field("negative_prompt")} />
    </>
  );
}

function Sampling(props: FormProps): JSX.Element {
  const { text } = useShared();
  const field = fieldsOf(props);
  return (
    <>
      <NumberInput label={text.t("width")} step={8} min={64} {...field("width")} />
      <NumberInput label={text.t("height")} step={8} min={64} {...field("height")} />
      <NumberInput label={text.t("steps")} min={1} {...field("steps")} />
      <NumberInput label={text.t("guidance")} step={0.5} min={0} {...field("cfg_scale")} />
      <Sampler {...props} />
      <NumberInput label={text.t("images")} min={1} {...field("n_iter")} />
      <SeedInput label={text.t("seed")} hint={text.t("seedHint")} {...field("seed")} />
    </>
  );
}

function Sampler(props: FormProps): JSX.Element {
  const { text } = useShared();
  const field = fieldsOf(props)("sampler_name");
  return (
    <Choice
      label={text.t("sampler")}
      options={["", ...SAMPLERS]}
      {...field}
      change={(value) => field.change(value || undefined)}
    />
  );
}
