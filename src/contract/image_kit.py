"""The image kit's requests and answers, as a task's content and as the body of its synchronous routes alike.

==================  ========================================================  ==================================
task type           request, in addition to ``url`` or ``img``                answer
==================  ========================================================  ==================================
super-resolution    ``scale`` 2 or 4 (default 2), ``face`` false              ``{"result": base64 of a PNG}``
human-segmentation  ``type`` "alpha" (default) or "foreground"                ``{"result": base64 of a PNG}``
ocr                 nothing                                                   ``[{"words", "location", "score"}]``
==================  ========================================================  ==================================

``url`` is an http, https or s3 link to a JPEG, PNG or BMP image, ``img`` the image itself as base64. One of them is
required, and ``url`` wins over ``img``. Other fields are passed over, as the services do whose requests these are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from contract.errors import Problem, shown
from contract.links import is_link
from contract.runtimes import TaskType

URL, IMG, SCALE, FACE, TYPE = "url", "img", "scale", "face", "type"
"""The fields of a request."""

RESULT = "result"
"""The field of an answer that holds an image."""

SCALES = (2, 4)

ALPHA, FOREGROUND = "alpha", "foreground"
"""What of a human segmentation is answered: the alpha channel as a grey image, or the person on transparent ground."""

ABSENT = (None, "")
"""Values of a source that is not given."""

FORMATS = ("JPEG", "PNG", "BMP")
"""The formats of an input, by their names in Pillow."""

ROUTES: Mapping[str, TaskType] = MappingProxyType(
    {
        "super-resolution": TaskType.SUPER_RESOLUTION,
        "resolution": TaskType.SUPER_RESOLUTION,
        "human-segmentation": TaskType.HUMAN_SEGMENTATION,
        "seg": TaskType.HUMAN_SEGMENTATION,
        "ocr": TaskType.OCR,
        "lite-ocr": TaskType.OCR,
    }
)
"""The synchronous routes, each by POST; two names each, which callers of the earlier services have in their code."""


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """A request that was checked. ``url`` is set or ``img`` is, never both."""

    operation: TaskType
    url: str | None = None
    img: str | None = None
    scale: int = SCALES[0]
    foreground: bool = False


def image_request(operation: TaskType, content: Mapping[str, Any]) -> ImageRequest:
    """The request of a content in which ``image_problems`` finds nothing."""
    url = content.get(URL)
    return ImageRequest(
        operation=operation,
        url=url or None,
        img=None if url else content[IMG],
        scale=int(content.get(SCALE) or SCALES[0]),
        foreground=content.get(TYPE) == FOREGROUND,
    )


def image_problems(operation: TaskType, content: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the content, by its own fields."""
    yield from _source_problems(content)
    scale, face, kind = content.get(SCALE), content.get(FACE), content.get(TYPE)
    if operation is TaskType.SUPER_RESOLUTION:
        if scale is not None and (isinstance(scale, bool) or scale not in SCALES):
            yield Problem(SCALE, f"must be 2 or 4, got {shown(scale)}")
        if face is not None and face is not False:
            yield Problem(FACE, f"must be false: no face model is deployed, got {shown(face)}")
    if operation is TaskType.HUMAN_SEGMENTATION and kind not in (None, ALPHA, FOREGROUND):
        yield Problem(TYPE, f"must be {ALPHA!r} or {FOREGROUND!r}, got {shown(kind)}")


def _source_problems(content: Mapping[str, Any]) -> Iterator[Problem]:
    url, img = content.get(URL), content.get(IMG)
    if url not in ABSENT:
        if not isinstance(url, str) or not is_link(url):
            yield Problem(URL, f"must be an http, https or s3 link to an image, got {shown(url)}")
    elif img in ABSENT:
        yield Problem(URL, "is required: a link to an image, or img with the image as base64")
    elif not isinstance(img, str):
        yield Problem(IMG, f"must be an image as base64, got {shown(img)}")
