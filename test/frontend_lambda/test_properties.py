"""Whatever a stranger sends: an answer in JSON, never a failure of ours, never a task that no queue receives."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.task import parse_task
from utils.smoke import samples

from .conftest import MODEL, FrontDoor, runtime_of

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
IMAGE_URL = "s3://bucket/cat.png"
LIKELY = st.sampled_from(
    ["", "nosuch", "switching", "comfy", "pipeline", "image-to-image", MODEL, IMAGE_URL, "..", "a/b", {}, []]
)
KEYS = st.sampled_from(
    ["alwayson_scripts", "sd_model_checkpoint", "image_link", "init_images", "args", "nodes", "task", "x"]
)
GOOD = [
    *((samples.version(name), samples.request(name, runtime=runtime_of(name))) for name in samples.NAMES),
    (
        "v1alpha1",
        {
            "alwayson_scripts": {
                "task": "image-to-image",
                "sd_model_checkpoint": "other.safetensors",
                "id_task": "my-1",
                "uid": 7,
                "sd_vae": "a.pt",
                "override_settings": {"eta_ancestral": 1},
                "image_link": IMAGE_URL,
                "controlnet": {"args": [{"image_link": IMAGE_URL}]},
            },
            "override_settings": {},
        },
    ),
    (
        "v1alpha2",
        {
            "task": {
                "metadata": {"id": "my-1", "runtime": "switching", "tasktype": "extra-batch-images", "prefix": "a/b"},
                "content": {"imageList": [{"data": IMAGE_URL, "name": "cat.png"}], "alwayson_scripts": {}},
            }
        },
    ),
]


@st.composite
def near_tasks(draw: st.DrawFn) -> tuple[str, Any]:
    """A version and a good request of it, in which up to three values are changed, taken away or added."""
    version, good = draw(st.sampled_from(GOOD))
    body = copy.deepcopy(good)
    for _ in range(draw(st.integers(0, 3))):
        holder, key = draw(st.sampled_from(list(places_in(body))))
        match draw(st.sampled_from(["change", "take away", "add"])):
            case "change":
                holder[key] = copy.deepcopy(draw(LIKELY | JSON))
            case "take away":
                del holder[key]
            case "add" if isinstance(holder, dict):
                holder[draw(KEYS)] = copy.deepcopy(draw(LIKELY | JSON))
        if not body:
            break
    return version, body


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every object or list below ``value``, with each of its keys."""
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(item, dict | list):
            yield from places_in(item)


SETTINGS = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def check(door: FrontDoor, version: str, text: str) -> None:
    """The answer is JSON, 200 or 400; one queue got a task that its agent can read, or none got anything."""
    answer = door.post(version, text)

    assert answer.status in {200, 400}
    if answer.status == 400:
        assert answer.body["message"]
        assert answer.body["errors"]
        return
    [(runtime, [message])] = door.received_anywhere().items()
    task = parse_task(message.body)
    assert task.metadata.runtime == runtime
    assert task.metadata.id == answer.body["id_task"]


@SETTINGS
@given(version=st.sampled_from(["v1alpha1", "v1alpha2"]), text=st.text() | JSON.map(json.dumps))
def test_arbitrary_bodies(door: FrontDoor, version: str, text: str) -> None:
    check(door, version, text)


@SETTINGS
@given(request=near_tasks())
def test_tasks_that_are_nearly_good(door: FrontDoor, request: tuple[str, Any]) -> None:
    version, body = request

    check(door, version, json.dumps(body))
