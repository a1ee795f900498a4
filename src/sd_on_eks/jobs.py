"""What is asked of a runtime: jobs, and how they are made."""

import json
import mimetypes
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeAlias, TypedDict, Unpack

from sd_on_eks.errors import JobError

Image: TypeAlias = str | Path | bytes
"""A link (http, https or s3), the path of a file, or a file's bytes. Files are uploaded when the job is sent."""

DEFAULT_UPSCALER = "R-ESRGAN 4x+"
"""SD WebUI brings it, and changes no image without an upscaler."""

LINKS = ("http://", "https://", "s3://")

DEFAULT_PREFIX = "output"
"""Folder of the results in the output bucket."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the platform sends the task's events, signed. ``events`` are ``started`` and ``ended``."""

    url: str
    events: tuple[str, ...] = ("ended",)


class JobOptions(TypedDict, total=False):
    """What a job may say apart from its content.

    ``id`` names the task: with the same id and the same job, a repeated submission gets the same task, and no second
    run. ``runtime`` may be left out where only one serves the job. ``deadline`` is in seconds from the submission.
    ``context`` is any JSON of at most 64 KiB, which comes back in the callback.
    """

    id: str
    runtime: str
    prefix: str
    context: Any
    deadline: int
    labels: Mapping[str, str]
    webhook: str | Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work. ``content`` is the body that the runtime takes; a Path or bytes anywhere in it stand for a
    file, which is uploaded, and its link put in its place."""

    tasktype: str
    content: Mapping[str, Any]
    id: str | None = None
    runtime: str | None = None
    prefix: str = DEFAULT_PREFIX
    context: Any = None
    deadline: int | None = None
    labels: Mapping[str, str] | None = None
    webhook: str | Webhook | None = None

    def having(self, **options: Unpack[JobOptions]) -> Self:
        """The job with other options."""
        return replace(self, **options)

    def named(self) -> Self:
        """The job with an id, a new one where it has none."""
        return self if self.id else replace(self, id=str(uuid.uuid4()))

    @property
    def files(self) -> list[Path | bytes]:
        """The files in the content, in their order."""
        found: list[Path | bytes] = []
        _mapped(self.content, found.append)
        return found

    def body(self, runtime: str, links: list[str]) -> dict[str, Any]:
        """The body that submits the job; ``links`` take the places of the files."""
        remaining = iter(links)
        metadata = {"id": self.id, "runtime": runtime, "tasktype": self.tasktype, "prefix": self.prefix}
        if self.context is not None:
            metadata["context"] = self.context
        body: dict[str, Any] = {
            "task": {"metadata": metadata, "content": _mapped(self.content, lambda _: next(remaining))}
        }
        options = {"deadline": self.deadline, "labels": self.labels, "webhook": self._webhook}
        asked = _given(options)
        return {**body, "options": asked} if asked else body

    @property
    def _webhook(self) -> dict[str, Any] | None:
        webhook = Webhook(self.webhook) if isinstance(self.webhook, str) else self.webhook
        return {"url": webhook.url, "events": list(webhook.events)} if webhook else None


def numbered(jobs: Iterable[Job], name: str | None, options: JobOptions) -> Iterator[Job]:
    """The jobs with ``options``, each with an id: its own, else ``{name}-{number}``, else a new one."""
    for number, job in enumerate(jobs, start=1):
        made = job.having(**options)
        yield (replace(made, id=f"{name}-{number:05}") if name and not made.id else made.named())


def text_to_image(
    prompt: str,
    *,
    negative_prompt: str | None = None,
    width: int | None = None,
    height: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
    model: str | None = None,
    **fields: Any,
) -> Job:
    """Images from a text, on SD WebUI. What is None is left to the runtime.

    ``model`` is a file name, for a runtime with dynamicModel. ``fields`` are others of ``/sdapi/v1/txt2img``.
    """
    content = {
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "width": width,
        "height": height,
        "steps": steps,
        "seed": seed,
        **fields,
    }
    return Job(tasktype="text-to-image", content=_with_model(content, model))


def image_to_image(
    image: Image,
    prompt: str,
    *,
    denoising_strength: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    model: str | None = None,
    **fields: Any,
) -> Job:
    """Images from an image and a text, on SD WebUI. ``fields`` are others of ``/sdapi/v1/img2img``."""
    content = {
        "init_images": [as_input(image)],
        "prompt": prompt,
        "denoising_strength": denoising_strength,
        "steps": steps,
        "seed": seed,
        **fields,
    }
    return Job(tasktype="image-to-image", content=_with_model(content, model))


def upscale(image: Image, *, scale: float = 2.0, upscaler: str = DEFAULT_UPSCALER, **fields: Any) -> Job:
    """A larger image, on SD WebUI. ``fields`` are others of ``/sdapi/v1/extra-single-image``."""
    content = {"image": as_input(image), "upscaling_resize": scale, "upscaler_1": upscaler, **fields}
    return Job(tasktype="extra-single-image", content=_given(content))


def super_resolution(image: Image, *, scale: int = 2) -> Job:
    """An image of ``scale`` times the size, 2 or 4, on the image kit: a PNG."""
    return Job(tasktype="super-resolution", content={"url": as_input(image), "scale": scale})


def human_segmentation(image: Image, *, foreground: bool = False) -> Job:
    """Where people are in an image, on the image kit: a grey PNG that is white there, or with ``foreground`` the people
    on transparent ground."""
    return Job(
        tasktype="human-segmentation",
        content={"url": as_input(image), "type": "foreground" if foreground else "alpha"},
    )


def ocr(image: Image) -> Job:
    """The text in an image, on the image kit: a JSON file with a list of lines, each with ``words``, ``location`` in
    pixels, and ``score`` from 0 to 1."""
    return Job(tasktype="ocr", content={"url": as_input(image)})


def graph(source: str | Path | Mapping[str, Any]) -> Job:
    """A graph for InvokeAI, from a file or as an object: a graph, or the body of ``enqueue_batch``."""
    found = read_object(source)
    content = found if "graph" in found or "batch" in found else {"graph": found}
    return Job(tasktype="graph", content=content)


def as_input(image: Image) -> str | Path | bytes:
    """The image as a content names it: links stay, other text is a path. Raises JobError where there is no file."""
    if isinstance(image, bytes) or (isinstance(image, str) and image.lower().startswith(LINKS)):
        return image
    path = Path(image)
    if not path.is_file():
        raise JobError(f"there is no file {str(path)!r}; an image is a file or a link (http, https or s3)")
    return path


def media_type_of(file: Path | bytes) -> str | None:
    """The media type that a file's name says; None where it says none."""
    return mimetypes.guess_type(file.name)[0] if isinstance(file, Path) else None


def read_object(source: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON object in a file, or the object itself. Raises JobError."""
    if isinstance(source, Mapping):
        return source
    path = Path(source)
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise JobError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise JobError(f"{str(path)!r} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise JobError(f"{str(path)!r} must hold a JSON object, holds {type(found).__name__}")
    return found


def _with_model(content: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    given = _given(content)
    if model is not None:
        given["alwayson_scripts"] = {**given.get("alwayson_scripts", {}), "sd_model_checkpoint": model}
    return given


def _given(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if value is not None}


def _mapped(value: Any, change: Callable[[Path | bytes], Any]) -> Any:
    """A copy of ``value`` in which each file is replaced by what ``change`` makes of it."""
    if isinstance(value, Path | bytes):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _mapped(item, change) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, change) for item in value]
    return value
