// The least that makes an image with Stable Diffusion 1.5: what the platform's first model is.

import type { JsonObject } from "../types";

const MODEL = "v1-5-pruned-emaonly.safetensors";

export const WORKFLOW: JsonObject = {
  "3": {
    class_type: "KSampler",
    inputs: {
      seed: 7,
      steps: 20,
      cfg: 8,
      sampler_name: "euler",
      scheduler: "normal",
      denoise: 1,
      model: ["4", 0],
      positive: ["6", 0],
      negative: ["7", 0],
      latent_image: ["5", 0],
    },
  },
  "4": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: MODEL } },
  "5": { class_type: "EmptyLatentImage", inputs: { width: 512, height: 512, batch_size: 1 } },
  "6": {
    class_type: "CLIPTextEncode",
    inputs: { text: "a lighthouse at dusk", clip: ["4", 1] },
    _meta: { title: "Prompt" },
  },
  "7": {
    class_type: "CLIPTextEncode",
    inputs: { text: "text, watermark", clip: ["4", 1] },
    _meta: { title: "Negative prompt" },
  },
  "8": { class_type: "VAEDecode", inputs: { samples: ["3", 0], vae: ["4", 2] } },
  "9": { class_type: "SaveImage", inputs: { filename_prefix: "console", images: ["8", 0] } },
};

const edge = (from: string, field: string, to: string, into = field): JsonObject => ({
  source: { node_id: from, field },
  destination: { node_id: to, field: into },
});

export const GRAPH: JsonObject = {
  graph: {
    nodes: {
      model: {
        id: "model",
        type: "main_model_loader",
        model: { key: MODEL, hash: "any", name: "Stable Diffusion 1.5", base: "sd-1", type: "main" },
      },
      positive: { id: "positive", type: "compel", prompt: "a lighthouse at dusk" },
      negative: { id: "negative", type: "compel", prompt: "blurry" },
      noise: { id: "noise", type: "noise", seed: 7, width: 512, height: 512 },
      denoise: { id: "denoise", type: "denoise_latents", steps: 20 },
      image: { id: "image", type: "l2i" },
    },
    edges: [
      edge("model", "clip", "positive"),
      edge("model", "clip", "negative"),
      edge("model", "unet", "denoise"),
      edge("model", "vae", "image"),
      edge("positive", "conditioning", "denoise", "positive_conditioning"),
      edge("negative", "conditioning", "denoise", "negative_conditioning"),
      edge("noise", "noise", "denoise"),
      edge("denoise", "latents", "image"),
    ],
  },
};
