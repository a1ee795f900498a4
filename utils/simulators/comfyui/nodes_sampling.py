"""The usual text-to-image and image-to-image graph. Nothing is sampled: the prompt is drawn, step by step in time."""

import asyncio
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps

from utils.simulators.comfyui.node import Node, Produced, Run, World, decimal, integer, text
from utils.simulators.comfyui.nodes_image import MAX_RESOLUTION, Images
from utils.simulators.drawing import draw

MAX_SEED = 0xFFFFFFFFFFFFFFFF

_GREY = (128, 128, 128)
_SAMPLERS = ["euler", "euler_ancestral", "heun", "dpm_2", "lms", "dpmpp_2m", "dpmpp_sde", "dpmpp_2m_sde", "ddim"]
_SCHEDULERS = ["simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal"]


@dataclass(frozen=True, slots=True)
class Latent:
    """A batch of images, drawn or still to be drawn."""

    images: Images
    empty: bool = False


async def _load_checkpoint(run: Run, *, ckpt_name: str) -> Produced:  # noqa: ARG001 - every node takes its run
    return Produced((ckpt_name, ckpt_name, ckpt_name))


async def _encode_text(run: Run, *, text: str, clip: str) -> Produced:  # noqa: ARG001 - the model that reads it is none
    return Produced((text,))


async def _empty_latent(run: Run, *, width: int, height: int, batch_size: int) -> Produced:
    blank = await run.work(Image.new, "RGB", (width, height), _GREY)
    return Produced((Latent((blank,) * batch_size, empty=True),))


async def _sample(
    run: Run,
    *,
    model: str,
    seed: int,
    steps: int,
    positive: str,
    latent_image: Latent,
    denoise: float,
    **_: Any,
) -> Produced:
    label = f"{run.world.options.name} ComfyUI: {model}"
    share = 1.0 if latent_image.empty else denoise
    drawn = [
        await run.work(_drawn, positive, seed + number, base, share, label)
        for number, base in enumerate(latent_image.images)
    ]
    for step in range(1, steps + 1):
        await asyncio.sleep(run.world.options.seconds_per_step * len(drawn))
        await run.step(step, steps)
        await run.preview(drawn[0])
    return Produced((Latent(tuple(drawn)),))


def _drawn(prompt: str, seed: int, base: Image.Image, share: float, label: str) -> Image.Image:
    """The prompt's image, ``share`` of it laid over the base."""
    return Image.blend(base, draw(prompt, seed, base.width, base.height, label=label), share)


async def _decode(run: Run, *, samples: Latent, vae: str) -> Produced:  # noqa: ARG001 - the model that decodes is none
    return Produced((samples.images,))


async def _encode(run: Run, *, pixels: Images, vae: str) -> Produced:  # noqa: ARG001 - as above
    return Produced((Latent(tuple([await run.work(_in_eights, one) for one in pixels])),))


def _in_eights(image: Image.Image) -> Image.Image:
    """Latents stand for 8 x 8 pixels each: the rest is cut off, from both sides alike."""
    width, height = (max(8, side // 8 * 8) for side in image.size)
    return ImageOps.fit(image, (width, height))


def _checkpoints(world: World) -> list[Any]:
    return [list(world.options.models), {"tooltip": "The name of the checkpoint (model) to load."}]


NODES = (
    Node(
        name="CheckpointLoaderSimple",
        display_name="Load Checkpoint",
        category="loaders",
        description="Loads a diffusion model checkpoint, diffusion models are used to denoise latents.",
        run=_load_checkpoint,
        inputs=lambda world: {"required": {"ckpt_name": _checkpoints(world)}},
        outputs=("MODEL", "CLIP", "VAE"),
    ),
    Node(
        name="CLIPTextEncode",
        display_name="CLIP Text Encode (Prompt)",
        category="conditioning",
        run=_encode_text,
        inputs=lambda _: {"required": {"text": text(multiline=True), "clip": ["CLIP"]}},
        outputs=("CONDITIONING",),
    ),
    Node(
        name="EmptyLatentImage",
        display_name="Empty Latent Image",
        category="latent",
        run=_empty_latent,
        inputs=lambda _: {
            "required": {
                "width": integer(512, 16, MAX_RESOLUTION, step=8),
                "height": integer(512, 16, MAX_RESOLUTION, step=8),
                "batch_size": integer(1, 1, 4096),
            }
        },
        outputs=("LATENT",),
    ),
    Node(
        name="KSampler",
        display_name="KSampler",
        category="sampling",
        run=_sample,
        inputs=lambda _: {
            "required": {
                "model": ["MODEL"],
                "seed": integer(0, 0, MAX_SEED, control_after_generate=True),
                "steps": integer(20, 1, 10000),
                "cfg": decimal(8.0, 0.0, 100.0, step=0.1, round=0.01),
                "sampler_name": [_SAMPLERS],
                "scheduler": [_SCHEDULERS],
                "positive": ["CONDITIONING"],
                "negative": ["CONDITIONING"],
                "latent_image": ["LATENT"],
                "denoise": decimal(1.0, 0.0, 1.0, step=0.01),
            }
        },
        outputs=("LATENT",),
    ),
    Node(
        name="VAEDecode",
        display_name="VAE Decode",
        category="latent",
        run=_decode,
        inputs=lambda _: {"required": {"samples": ["LATENT"], "vae": ["VAE"]}},
        outputs=("IMAGE",),
    ),
    Node(
        name="VAEEncode",
        display_name="VAE Encode",
        category="latent",
        run=_encode,
        inputs=lambda _: {"required": {"pixels": ["IMAGE"], "vae": ["VAE"]}},
        outputs=("LATENT",),
    ),
)
