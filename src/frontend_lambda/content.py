"""Checks of a task's content, as far as they are cheap and their outcome certain. The rest is the runtime's to say."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from contract.errors import Problem, shown
from contract.runtimes import TaskType

CONTENT = "task.content"
SCRIPTS = "alwayson_scripts"
MODEL_KEY = "sd_model_checkpoint"
"""Below SCRIPTS it names the model, in both API versions; the agent takes it out, for no WebUI knows it there."""

HOW_TO_EXPORT = (
    "is a workflow in the format that ComfyUI's editor saves; its API takes another one: switch on "
    "'Enable Dev mode Options' in ComfyUI's settings, then use 'Save (API Format)' (newer versions: "
    "Workflow > Export (API)), and send that file's content"
)


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
        yield Problem(f"{CONTENT}.init_images", "is required: a list of links or of base64 pictures")
    elif not isinstance(images, list):
        yield Problem(f"{CONTENT}.init_images", f"must be a list, got {shown(images)}")
    else:
        for index, image in enumerate(images):
            yield from _picture_problems(f"{CONTENT}.init_images.{index}", image)


def _extra_single_image(content: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _picture_problems(f"{CONTENT}.image", content.get("image"))


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
            yield from _picture_problems(f"{field}.data", image.get("data"))
            if not isinstance(image.get("name"), str):
                yield Problem(f"{field}.name", f"must be the picture's file name, got {shown(image.get('name'))}")


def _picture_problems(field: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, str) or not value:
        yield Problem(field, f"must be a link or a base64 picture, got {shown(value)}")


def _pipeline(content: Mapping[str, Any]) -> Iterator[Problem]:
    """A workflow, or ``{"prompt": workflow, "extra_data": …}`` as ComfyUI's API takes it."""
    workflow, field = content, CONTENT
    prompt = content.get("prompt")
    if isinstance(prompt, dict) and "class_type" not in prompt:
        workflow, field = prompt, f"{CONTENT}.prompt"
    if isinstance(workflow.get("nodes"), list):
        yield Problem(field, HOW_TO_EXPORT)
    elif not workflow:
        yield Problem(field, "must be a workflow: ComfyUI refuses one without nodes")
    else:
        for name, node in workflow.items():
            if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
                yield Problem(f"{field}.{name}", f"must be a node, an object with class_type, got {shown(node)}")
            elif not isinstance(node.get("inputs"), dict):
                yield Problem(f"{field}.{name}.inputs", f"must be an object, got {shown(node.get('inputs'))}")


def _graph(content: Mapping[str, Any]) -> Iterator[Problem]:
    """``{"graph": …}``, or ``{"batch": {"graph": …}}`` as InvokeAI's enqueue_batch takes it."""
    batch = content.get("batch", content)
    field = f"{CONTENT}.batch" if "batch" in content else CONTENT
    if not isinstance(batch, dict) or not isinstance(batch.get("graph"), dict):
        yield Problem(f"{field}.graph", "is required: an object with nodes and edges")


CHECKS: Mapping[TaskType, Callable[[Mapping[str, Any]], Iterator[Problem]]] = {
    TaskType.TEXT_TO_IMAGE: _text_to_image,
    TaskType.IMAGE_TO_IMAGE: _image_to_image,
    TaskType.EXTRA_SINGLE_IMAGE: _extra_single_image,
    TaskType.EXTRA_BATCH_IMAGES: _extra_batch_images,
    TaskType.PIPELINE: _pipeline,
    TaskType.GRAPH: _graph,
}
