"""Nodes that need no model: primitives, collections and image work. Types, fields and defaults are InvokeAI 6's."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from utils.simulators.invokeai.fields import (
    CollectOutput,
    ColorField,
    ImageCollectionOutput,
    ImageField,
    ImageOutput,
    IntegerCollectionOutput,
    IntegerOutput,
    IterateOutput,
    Output,
    StringOutput,
)
from utils.simulators.invokeai.gallery import Gallery

MAX_PIXELS = 300_000_000
"""Of one image; the largest recorded run makes 268 million (16384 x 16384)."""

ResampleMode: TypeAlias = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]

_RESAMPLING: Mapping[str, Image.Resampling] = {mode.name.lower(): mode for mode in Image.Resampling}


class RequiredConnectionException(Exception):
    """The real one's error for an input that must come over an edge and did not."""

    def __init__(self, node_type: str, field: str) -> None:
        super().__init__(f"Node {node_type} missing connections for field {field}")


class MissingInputException(Exception):
    """The real one's error for an input that came neither as a value nor over an edge."""

    def __init__(self, node_type: str, field: str) -> None:
        super().__init__(f"Node {node_type} missing value or connection for field {field}")


@dataclass(frozen=True, slots=True)
class Context:
    """What a node may use while it runs. ``step`` takes the time of one sampling step; ``tensors`` holds what latents
    and conditioning stand for, by name; ``models`` are the known models' keys."""

    gallery: Gallery
    models: tuple[str, ...]
    label: str
    session_id: str
    tensors: dict[str, Any]
    step: Callable[[], Awaitable[None]]
    stop_if_canceled: Callable[[], None]


class Node(BaseModel):
    """One node of a graph. ``gives`` is the type of its output, ``needs`` the fields that have no default."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    gives: ClassVar[type[Output]]
    needs: ClassVar[tuple[str, ...]] = ()

    id: str
    is_intermediate: bool = False
    use_cache: bool = True

    async def run(self, context: Context) -> Output:
        """The node's output. Raises whatever goes wrong: its type and text reach the queue item."""
        raise NotImplementedError

    @property
    def node_type(self) -> str:
        return str(type(self).model_fields["type"].default)

    def check_inputs(self) -> None:
        """Raises when a needed input has no value."""
        for field in self.needs:
            if getattr(self, field) is None:
                error = MissingInputException if field == "image" else RequiredConnectionException
                raise error(self.node_type, field)


class Kept(BaseModel):
    """Fields of nodes that put an image into the gallery."""

    board: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class ImageNode(Node, Kept):
    """A node that makes one image, in the time of one step."""

    gives = ImageOutput

    def draw(self, context: Context) -> Image.Image:
        """The image; runs in a thread."""
        raise NotImplementedError

    async def run(self, context: Context) -> ImageOutput:
        await context.step()
        return await asyncio.to_thread(self._drawn, context)

    def _drawn(self, context: Context) -> ImageOutput:
        image = self.draw(context)
        record = context.gallery.add(
            image, is_intermediate=self.is_intermediate, session_id=context.session_id, node_id=self.id
        )
        return ImageOutput(image=ImageField(image_name=record.name), width=record.width, height=record.height)


class ImageToImageNode(ImageNode):
    """A node that makes an image of another."""

    needs = ("image",)

    image: ImageField | None = None

    def opened(self, context: Context) -> Image.Image:
        assert self.image is not None
        return context.gallery.open(self.image.image_name)


def checked_size(width: int, height: int) -> tuple[int, int]:
    """Raises MemoryError where the simulation would not hold the image."""
    if width * height > MAX_PIXELS:
        raise MemoryError(f"an image of {width}x{height} pixels does not fit")
    return max(1, width), max(1, height)


class BlankImage(ImageNode):
    width: int = 512
    height: int = 512
    mode: Literal["RGB", "RGBA"] = "RGB"
    color: ColorField = ColorField(r=0, g=0, b=0, a=255)
    type: Literal["blank_image"] = "blank_image"

    def draw(self, context: Context) -> Image.Image:  # noqa: ARG002 - as every image node
        color = (self.color.r, self.color.g, self.color.b, self.color.a)
        return Image.new(self.mode, checked_size(self.width, self.height), color[: len(self.mode)])


class SaveImage(ImageToImageNode):
    use_cache: bool = False
    type: Literal["save_image"] = "save_image"

    def draw(self, context: Context) -> Image.Image:
        return self.opened(context)


class ScaleImage(ImageToImageNode):
    scale_factor: float = Field(default=2.0, gt=0)
    resample_mode: ResampleMode = "bicubic"
    type: Literal["img_scale"] = "img_scale"

    def draw(self, context: Context) -> Image.Image:
        image = self.opened(context)
        size = checked_size(int(image.width * self.scale_factor), int(image.height * self.scale_factor))
        return image.resize(size, _RESAMPLING[self.resample_mode])


class LoadImage(Node):
    gives = ImageOutput

    image: ImageField
    type: Literal["image"] = "image"

    async def run(self, context: Context) -> ImageOutput:
        record = context.gallery.get(self.image.image_name)
        return ImageOutput(image=self.image, width=record.width, height=record.height)


class ImageCollection(Node):
    gives = ImageCollectionOutput

    collection: list[ImageField]
    type: Literal["image_collection"] = "image_collection"

    async def run(self, context: Context) -> ImageCollectionOutput:  # noqa: ARG002 - as every node
        return ImageCollectionOutput(collection=self.collection)


class Integer(Node):
    gives = IntegerOutput

    value: int = 0
    type: Literal["integer"] = "integer"

    async def run(self, context: Context) -> IntegerOutput:  # noqa: ARG002 - as every node
        return IntegerOutput(value=self.value)


class IntegerCollection(Node):
    gives = IntegerCollectionOutput

    collection: list[int] = []
    type: Literal["integer_collection"] = "integer_collection"

    async def run(self, context: Context) -> IntegerCollectionOutput:  # noqa: ARG002 - as every node
        return IntegerCollectionOutput(collection=self.collection)


class String(Node):
    gives = StringOutput

    value: str = ""
    type: Literal["string"] = "string"

    async def run(self, context: Context) -> StringOutput:  # noqa: ARG002 - as every node
        return StringOutput(value=self.value)


class Iterate(Node):
    """Runs once for each item of its collection, and what follows it too."""

    gives = IterateOutput

    collection: list[Any] = []
    index: int = 0
    type: Literal["iterate"] = "iterate"

    async def run(self, context: Context) -> IterateOutput:  # noqa: ARG002 - as every node
        return IterateOutput(item=self.collection[self.index], index=self.index, total=len(self.collection))


class Collect(Node):
    """Gathers what ran several times into one list."""

    gives = CollectOutput

    item: Any | None = None
    collection: list[Any] = []
    type: Literal["collect"] = "collect"

    async def run(self, context: Context) -> CollectOutput:  # noqa: ARG002 - as every node
        return CollectOutput(collection=self.collection)
