"""Checks of a task's content, as far as they are cheap and their outcome certain. The rest is the runtime's to say."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from contract.comfyui import workflow_problems
from contract.errors import Problem, shown
from contract.image_kit import image_problems
from contract.runtimes import TASK_TYPES, RuntimeType, TaskType
from contract.webui import MODEL_KEY, SCRIPTS

CONTENT = "task.content"


def content_problems(content: Mapping[str, Any], tasktype: TaskType) -> Iterator[Problem]:
    """What every runtime that serves ``tasktype`` would refuse for certain, field by field."""
    yield from CHECKS[tasktype](content)


def _text_to_image(content: Mapping[str, Any]) -> Iterator[Problem]:
    scripts = content.get(SCRIPTS)
    if scripts is None:
        return
    if not isinstance(scripts, dict):
        yield Problem(f"{CONTENT}.{SCRIPTS}", f"must be an object, got {shown(scripts)}")
    elif not isinstance(scripts.get(MODEL_KEY, ""), str | None):
        yield Problem(
            f"{CONTENT}.{SCRIPTS}.{MODEL_KEY}", f"must be a model's file name, got {shown(scripts[MODEL_KEY])}"
        )


def _image_to_image(content: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _text_to_image(content)
    images = content.get("init_images")
    if not images:
        yield Problem(f"{CONTENT}.init_images", "is required: a list of links or of base64 images")
    elif not isinstance(images, list):
        yield Problem(f"{CONTENT}.init_images", f"must be a list, got {shown(images)}")
    else:
        for index, image in enumerate(images):
            yield from _image_problems(f"{CONTENT}.init_images.{index}", image)


def _extra_single_image(content: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _image_problems(f"{CONTENT}.image", content.get("image"))


def _extra_batch_images(content: Mapping[str, Any]) -> Iterator[Problem]:
    images = content.get("imageList")
    if not images:
        yield Problem(f"{CONTENT}.imageList", "is required: a list of objects with data and name")
    elif not isinstance(images, list):
        yield Problem(f"{CONTENT}.imageList", f"must be a list, got {shown(images)}")
    else:
        for index, image in enumerate(images):
            field = f"{CONTENT}.imageList.{index}"
            if not isinstance(image, dict):
                yield Problem(field, f"must be an object with data and name, got {shown(image)}")
                continue
            yield from _image_problems(f"{field}.data", image.get("data"))
            if not isinstance(image.get("name"), str):
                yield Problem(f"{field}.name", f"must be the image's file name, got {shown(image.get('name'))}")


def _image_problems(field: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, str) or not value:
        yield Problem(field, f"must be a link or a base64 image, got {shown(value)}")


def _pipeline(content: Mapping[str, Any]) -> Iterator[Problem]:
    for problem in workflow_problems(content):
        yield Problem(f"{CONTENT}.{problem.field}".rstrip("."), problem.problem)


def _graph(content: Mapping[str, Any]) -> Iterator[Problem]:
    """``{"graph": …}``, or ``{"batch": {"graph": …}}`` as InvokeAI's enqueue_batch takes it."""
    batch = content.get("batch", content)
    field = f"{CONTENT}.batch" if "batch" in content else CONTENT
    if not isinstance(batch, dict) or not isinstance(batch.get("graph"), dict):
        yield Problem(f"{field}.graph", "is required: an object with nodes and edges")


def _image_operation(operation: TaskType, content: Mapping[str, Any]) -> Iterator[Problem]:
    for problem in image_problems(operation, content):
        yield Problem(f"{CONTENT}.{problem.field}", problem.problem)


CHECKS: Mapping[TaskType, Callable[[Mapping[str, Any]], Iterator[Problem]]] = {
    TaskType.TEXT_TO_IMAGE: _text_to_image,
    TaskType.IMAGE_TO_IMAGE: _image_to_image,
    TaskType.EXTRA_SINGLE_IMAGE: _extra_single_image,
    TaskType.EXTRA_BATCH_IMAGES: _extra_batch_images,
    TaskType.PIPELINE: _pipeline,
    TaskType.GRAPH: _graph,
    **{kind: partial(_image_operation, kind) for kind in TASK_TYPES[RuntimeType.IMAGEKIT]},
}
