"""From a checked request and the bytes of its image to the answer, by whatever models are given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from PIL import Image

from contract.image_kit import RESULT, ImageRequest
from contract.runtimes import TaskType
from image_kit.images import DecodedImage, Limits, check_edge, check_scaled, encode_png
from image_kit.watch import Watch

Answer: TypeAlias = dict[str, Any] | list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and the box around it, in pixels of the image. ``score`` 0..1: how sure the model is."""

    words: str
    top: int
    left: int
    width: int
    height: int
    score: float


class Models(Protocol):
    """What the operations need. Called from one thread at a time; images are RGB, ``watch`` may end a call."""

    def enlarge(self, image: Image.Image, scale: int, watch: Watch) -> Image.Image:
        """The image at 2 or 4 times its size."""
        ...

    def find_people(self, image: Image.Image, watch: Watch) -> Image.Image:
        """A grey image of the same size: 255 where a person is."""
        ...

    def read_text(self, image: Image.Image, watch: Watch) -> Sequence[Line]:
        """The lines of text, from top to bottom."""
        ...


def answer(models: Models, request: ImageRequest, data: bytes, limits: Limits, watch: Watch) -> Answer:
    """The answer to the request, whose image is ``data``. Raises KitError."""
    image = DecodedImage.decode(data, limits, from_link=request.url is not None)
    return _OPERATIONS[request.operation](models, request, image, limits, watch)


def _enlarge(models: Models, request: ImageRequest, image: DecodedImage, limits: Limits, watch: Watch) -> Answer:
    check_scaled(image.rgb, request.scale, limits)
    enlarged = models.enlarge(image.rgb, request.scale, watch)
    if image.alpha is not None:
        enlarged.putalpha(image.alpha.resize(enlarged.size, Image.Resampling.BICUBIC))
    return {RESULT: encode_png(enlarged)}


def _cut_out(models: Models, request: ImageRequest, image: DecodedImage, limits: Limits, watch: Watch) -> Answer:
    check_edge(image.rgb, limits, from_link=request.url is not None)
    alpha = models.find_people(image.rgb, watch)
    if not request.foreground:
        return {RESULT: encode_png(alpha)}
    person = image.rgb.copy()
    person.putalpha(alpha)
    return {RESULT: encode_png(person)}


def _read(models: Models, request: ImageRequest, image: DecodedImage, limits: Limits, watch: Watch) -> Answer:
    check_edge(image.rgb, limits, from_link=request.url is not None)
    return [
        {
            "words": line.words,
            "location": {"top": line.top, "left": line.left, "width": line.width, "height": line.height},
            "score": line.score,
        }
        for line in models.read_text(image.rgb, watch)
    ]


_Operation: TypeAlias = Callable[[Models, ImageRequest, DecodedImage, Limits, Watch], Answer]

_OPERATIONS: Mapping[TaskType, _Operation] = MappingProxyType(
    {
        TaskType.SUPER_RESOLUTION: _enlarge,
        TaskType.HUMAN_SEGMENTATION: _cut_out,
        TaskType.OCR: _read,
    }
)
