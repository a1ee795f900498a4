"""The requests of the guide, ready to send, one for InvokeAI, and one for each task type of the image kit:
``requests/{version}-{task type}.json``.

They name the guide's runtime, its model and an image on the internet. To replace them: in Python
``request("v1alpha2-image-to-image", task_id="my-1", runtime="mine", link="s3://bucket/cat.png")``, in a shell
``sed -e 's|sdruntime|mine|' -e 's|https://[^"]*|s3://bucket/cat.png|' requests/v1alpha2-image-to-image.json``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RUNTIME = "sdruntime"
MODEL = "v1-5-pruned-emaonly.safetensors"

LINK = "https://huggingface.co/datasets/huggingface/documentation-images/resolve/main/diffusers/cat.png"
"""The image that the guide's image-to-image and extra-single-image requests start from."""

_FOLDER = Path(__file__).with_name("requests")

NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))
"""All requests. The name's part before the first ``-`` is the path to POST to."""


def version(name: str) -> str:
    """``v1alpha1`` or ``v1alpha2``."""
    return name.partition("-")[0]


def request(
    name: str,
    *,
    task_id: str | None = None,
    runtime: str | None = None,
    model: str | None = None,
    link: str | None = None,
) -> dict[str, Any]:
    """The body of a request. What is given replaces the guide's own everywhere.

    Raises FileNotFoundError when there is no request of that name.
    """
    body = json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
    routing = body["task"]["metadata"] if "task" in body else body["alwayson_scripts"]
    guide_id = routing["id"] if "task" in body else routing["id_task"]
    given = {guide_id: task_id, RUNTIME: runtime, MODEL: model, LINK: link}
    replaced: dict[str, Any] = _replaced(body, {old: new for old, new in given.items() if new is not None})
    return replaced


def _replaced(value: Any, given: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {key: _replaced(item, given) for key, item in value.items()}
        case list():
            return [_replaced(item, given) for item in value]
        case str():
            return given.get(value, value)
    return value
