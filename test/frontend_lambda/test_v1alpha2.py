"""``POST /v1alpha2``, from the proxy event to the runtime's queue."""

import json
from typing import Any

import pytest

from contract.runtimes import TASK_TYPES, RuntimeType, TaskType
from contract.wire import decode
from test.frontend_lambda.bodies import NODES, Body, body
from utils.smoke import samples

from .conftest import MODEL, FrontDoor, runtime_of

SAMPLES = [name for name in samples.NAMES if samples.version(name) == "v1alpha2"]

CONTENTS: dict[TaskType, dict[str, Any]] = {
    TaskType.TEXT_TO_IMAGE: {"prompt": "A dog"},
    TaskType.IMAGE_TO_IMAGE: {"init_images": ["s3://bucket/cat.png"]},
    TaskType.EXTRA_SINGLE_IMAGE: {"image": "s3://bucket/cat.png"},
    TaskType.EXTRA_BATCH_IMAGES: {"imageList": [{"data": "s3://bucket/cat.png", "name": "cat.png"}]},
    TaskType.PIPELINE: NODES,
    TaskType.SUPER_RESOLUTION: {"url": "https://files.example/a.png", "scale": 4},
    TaskType.HUMAN_SEGMENTATION: {"img": "aW1hZ2U=", "type": "foreground"},
    TaskType.OCR: {"url": "s3://photos/a.png"},
    TaskType.GRAPH: {"graph": {"nodes": {"a": {"id": "a", "type": "blank_image"}}, "edges": []}},
}

RUNTIME_OF = {
    RuntimeType.SDWEBUI: "sdruntime",
    RuntimeType.COMFYUI: "comfy",
    RuntimeType.INVOKEAI: "invoke",
    RuntimeType.IMAGEKIT: "kit",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_of_the_guide_comes_to_its_runtime_as_it_was_sent(name: str, door: FrontDoor) -> None:
    # Given a request of the guide
    runtime = runtime_of(name)
    request = samples.request(name, task_id="my-1", runtime=runtime)

    # When it is posted
    answer = door.post("v1alpha2", request)

    # Then the answer is the guide's, and one queue holds the task, whole
    place = f"s3://{door.settings.output_bucket}/output/my-1"
    assert answer.status == 200
    assert answer.body == {"id_task": "my-1", "runtime": runtime, "output_location": place}
    received = door.received_anywhere()
    assert list(received) == [runtime]
    [message] = received[runtime]
    assert message.body == request
    assert message.attributes == {"runtime": runtime}


@pytest.mark.parametrize(
    ("type_", "tasktype"), [(type_, tasktype) for type_, served in TASK_TYPES.items() for tasktype in served]
)
def test_every_task_type_is_accepted_for_its_runtime_and_can_be_read_by_the_agent(
    type_: RuntimeType, tasktype: TaskType, door: FrontDoor
) -> None:
    answer = door.post("v1alpha2", body(CONTENTS[tasktype], runtime=RUNTIME_OF[type_], tasktype=tasktype))

    assert answer.status == 200
    [message] = door.received(RUNTIME_OF[type_])
    order = decode(json.dumps(message.body))
    assert (order.metadata.tasktype, order.content) == (tasktype, CONTENTS[tasktype])


@pytest.mark.parametrize(
    ("runtime", "tasktype", "content"),
    [
        ("comfy", "pipeline", {"prompt": NODES, "extra_data": {"extra_pnginfo": {}}}),
        ("comfy", "pipeline", {"prompt": {"class_type": "A", "inputs": {}}}),
        ("invoke", "graph", {"batch": {"graph": {"nodes": {}, "edges": []}, "runs": 2}}),
    ],
)
def test_the_other_forms_that_an_adapter_takes_are_accepted(
    runtime: str, tasktype: str, content: Body, door: FrontDoor
) -> None:
    assert door.post("v1alpha2", body(content, runtime=runtime, tasktype=tasktype)).status == 200


@pytest.mark.parametrize("context", [None, "", 0, [1, {"a": None}], {"abc": 123, "ключ": "值"}])
def test_the_context_travels_unchanged(context: Any, door: FrontDoor) -> None:
    door.post("v1alpha2", body(context=context))

    [message] = door.received("sdruntime")
    assert message.body["task"]["metadata"]["context"] == context


def test_a_trailing_slash_of_the_prefix_is_dropped(door: FrontDoor) -> None:
    answer = door.post("v1alpha2", body(prefix="team/output/"))

    assert answer.body["output_location"].endswith("/team/output/my-1")
    [message] = door.received("sdruntime")
    assert message.body["task"]["metadata"]["prefix"] == "team/output"


@pytest.mark.parametrize("runtime", ["sdruntime", "switching"])
@pytest.mark.parametrize("model", [MODEL, "v1-5-pruned-emaonly", "", None])
def test_the_model_that_a_task_names_is_left_for_the_agent_to_judge(runtime: str, model: Any, door: FrontDoor) -> None:
    # Given a WebUI's model, which has a title, a name and a hash in addition to the file name that the front door knows
    content = {"alwayson_scripts": {"sd_model_checkpoint": model}}

    # When
    door.post("v1alpha2", body(content, runtime=runtime))

    # Then
    [message] = door.received(runtime)
    assert message.body["task"]["content"] == content
