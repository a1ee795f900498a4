"""Nodes of a text-to-image graph for SD 1.5. Nothing is computed: the image is drawn from prompt and seed."""

from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import uuid4

from PIL import Image
from pydantic import Field

from utils.simulators.drawing import draw
from utils.simulators.invokeai.fields import (
    CLIPField,
    ConditioningField,
    ConditioningOutput,
    ImageField,
    LatentsField,
    LatentsOutput,
    ModelIdentifierField,
    ModelLoaderOutput,
    NoiseOutput,
    UNetField,
    VAEField,
)
from utils.simulators.invokeai.nodes import Context, ImageNode, Node

MAX_SEED = 2**32 - 1
LATENT_SCALE = 8
"""Pixels of a side that one latent stands for."""


@dataclass(frozen=True, slots=True)
class Latents:
    """What latents stand for: all that the image is drawn from. ``base`` is what the denoising starts from, and
    ``strength`` (0..1) how much of it is replaced."""

    width: int
    height: int
    seed: int = 0
    prompt: str = ""
    model: str = ""
    base: Image.Image | None = None
    strength: float = 1.0


class MainModelLoader(Node):
    gives = ModelLoaderOutput

    model: ModelIdentifierField
    type: Literal["main_model_loader"] = "main_model_loader"

    async def run(self, context: Context) -> ModelLoaderOutput:
        if self.model.key not in context.models:
            raise Exception(f"Unknown model {self.model.key}")  # noqa: TRY002 - the type that the real one raises

        def part(name: str) -> ModelIdentifierField:
            return self.model.model_copy(update={"submodel_type": name})

        return ModelLoaderOutput(
            unet=UNetField(unet=part("unet"), scheduler=part("scheduler")),
            clip=CLIPField(tokenizer=part("tokenizer"), text_encoder=part("text_encoder")),
            vae=VAEField(vae=part("vae")),
        )


class Compel(Node):
    gives = ConditioningOutput
    needs = ("clip",)

    prompt: str = ""
    clip: CLIPField | None = None
    mask: dict[str, Any] | None = None
    type: Literal["compel"] = "compel"

    async def run(self, context: Context) -> ConditioningOutput:
        name = f"conditioning_{uuid4()}"
        context.tensors[name] = self.prompt
        return ConditioningOutput(conditioning=ConditioningField(conditioning_name=name))


class Noise(Node):
    gives = NoiseOutput

    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    width: int = Field(default=512, gt=0, multiple_of=LATENT_SCALE)
    height: int = Field(default=512, gt=0, multiple_of=LATENT_SCALE)
    use_cpu: bool = True
    type: Literal["noise"] = "noise"

    async def run(self, context: Context) -> NoiseOutput:
        noise = _kept(context, Latents(self.width, self.height, self.seed))
        return NoiseOutput(noise=noise, width=self.width, height=self.height)


class DenoiseLatents(Node):
    gives = LatentsOutput
    needs = ("positive_conditioning", "negative_conditioning", "unet")

    positive_conditioning: ConditioningField | list[ConditioningField] | None = None
    negative_conditioning: ConditioningField | list[ConditioningField] | None = None
    noise: LatentsField | None = None
    steps: int = Field(default=10, gt=0)
    cfg_scale: float | list[float] = 7.5
    denoising_start: float = Field(default=0.0, ge=0, le=1)
    denoising_end: float = Field(default=1.0, ge=0, le=1)
    scheduler: str = "euler"
    unet: UNetField | None = None
    cfg_rescale_multiplier: float = Field(default=0, ge=0, lt=1)
    latents: LatentsField | None = None
    type: Literal["denoise_latents"] = "denoise_latents"

    async def run(self, context: Context) -> LatentsOutput:
        start = self.noise or self.latents
        if start is None or self.unet is None:
            raise ValueError("'latents' or 'noise' must be provided!")
        for _ in range(self.steps):
            context.stop_if_canceled()
            await context.step()
        canvas: Latents = context.tensors[start.latents_name]
        base: Image.Image | None = context.tensors[self.latents.latents_name].base if self.latents else None
        drawn = replace(
            canvas,
            prompt=self._prompt(context),
            model=self.unet.unet.name,
            base=base,
            strength=self.denoising_end - self.denoising_start,
        )
        return LatentsOutput(latents=_kept(context, drawn), width=drawn.width, height=drawn.height)

    def _prompt(self, context: Context) -> str:
        given = self.positive_conditioning
        fields = given if isinstance(given, list) else [given] if given else []
        return " ".join(context.tensors[field.conditioning_name] for field in fields)


class ImageToLatents(Node):
    gives = LatentsOutput
    needs = ("image", "vae")

    image: ImageField | None = None
    vae: VAEField | None = None
    tiled: bool = False
    tile_size: int = 0
    fp32: bool = False
    type: Literal["i2l"] = "i2l"

    async def run(self, context: Context) -> LatentsOutput:
        assert self.image is not None
        image = context.gallery.open(self.image.image_name).convert("RGB")
        latents = _kept(context, Latents(image.width, image.height, base=image))
        return LatentsOutput(latents=latents, width=image.width, height=image.height)


class LatentsToImage(ImageNode):
    needs = ("latents", "vae")

    latents: LatentsField | None = None
    vae: VAEField | None = None
    tiled: bool = False
    tile_size: int = 0
    fp32: bool = False
    type: Literal["l2i"] = "l2i"

    def draw(self, context: Context) -> Image.Image:
        assert self.latents is not None
        latents: Latents = context.tensors[self.latents.latents_name]
        image = draw(
            latents.prompt, latents.seed, latents.width, latents.height, label=f"{context.label} {latents.model}"
        )
        if latents.base is None:
            return image
        return Image.blend(latents.base.resize(image.size), image, latents.strength)


def _kept(context: Context, latents: Latents) -> LatentsField:
    name = f"latents_{uuid4()}"
    context.tensors[name] = latents
    return LatentsField(latents_name=name, seed=latents.seed)
