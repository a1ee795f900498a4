"""``POST /v1alpha2``, from the proxy event to the runtime's queue."""

import json
from typing import Any, TypeAlias

import pytest

from contract.catalog import Catalog, RuntimeEntry
from contract.policy import TaskPolicy
from contract.runtimes import TASK_TYPES, RuntimeType, TaskType
from contract.wire import decode
from utils.smoke import samples

from .conftest import MODEL, RUNTIMES_OF_SAMPLES, FrontDoor, runtime_of

Body: TypeAlias = dict[str, Any]

SAMPLES = [name for name in samples.NAMES if samples.version(name) == "v1alpha2"]
NODES = {"1": {"class_type": "EmptyImage", "inputs": {}}}
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


def body(content: Any = None, **metadata: Any) -> Body:
    """A good text-to-image request, with changes. A value of ... takes the field away."""
    fields = {"id": "my-1", "runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "output", **metadata}
    kept = {name: value for name, value in fields.items() if value is not ...}
    return {"task": {"metadata": kept, "content": {"prompt": "A dog"} if content is None else content}}


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


@pytest.mark.parametrize("field", ["id", "runtime", "tasktype", "prefix"])
def test_a_missing_field_is_named(field: str, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", body(**{field: ...}))

    assert answer.status == 400
    assert answer.body["errors"] == [{"field": f"task.metadata.{field}", "problem": "is required"}]


@pytest.mark.parametrize("value", ["", "a/b", "..", "a b", "a\nb", "a\x00b", "é", "x" * 65, 7, None, ["a"], {}])
def test_a_task_id_that_cannot_be_part_of_an_object_key_is_refused(value: Any, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", body(id=value))

    assert (answer.status, answer.fields) == (400, ["task.metadata.id"])


@pytest.mark.parametrize(
    "value", ["", "/", "/output", "a//b", "..", "a/../b", ".", "a\nb", "a\x7fb", "a\\b", "x" * 513, ".platform/x", 7]
)
def test_a_prefix_that_leaves_its_folder_is_refused(value: Any, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", body(prefix=value))

    assert (answer.status, answer.fields) == (400, ["task.metadata.prefix"])


def test_an_id_of_64_characters_is_accepted(door: FrontDoor) -> None:
    assert door.post("v1alpha2", body(id="x" * 64)).body["id_task"] == "x" * 64


@pytest.mark.parametrize("value", [7, "text", None, [], {}, {"metadata": {}}, {"content": {}}, {"content": []}])
def test_a_task_of_another_shape_is_refused(value: Any, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", {"task": value})

    assert answer.status == 400
    assert all(field.startswith("task") for field in answer.fields)


def test_an_unknown_runtime_is_refused_with_those_there_are(door: FrontDoor) -> None:
    # Given that no queue waits for tasks of that name
    answer = door.post("v1alpha2", body(runtime="nosuch"))

    # Then the task is not accepted and dropped, but refused
    assert (answer.status, answer.fields) == (400, ["task.metadata.runtime"])
    assert "'sdruntime', 'switching', 'comfy', 'invoke'" in answer.body["message"]
    assert door.received_anywhere() == {}


@pytest.mark.parametrize(
    ("runtime", "tasktype", "served"),
    [
        ("comfy", "text-to-image", "'pipeline'"),
        ("sdruntime", "pipeline", "'text-to-image', 'image-to-image'"),
        ("invoke", "pipeline", "'graph'"),
    ],
)
def test_a_task_type_that_the_runtime_does_not_serve_is_refused_with_those_it_serves(
    runtime: str, tasktype: str, served: str, door: FrontDoor
) -> None:
    answer = door.post("v1alpha2", body(runtime=runtime, tasktype=tasktype))

    assert (answer.status, answer.fields) == (400, ["task.metadata.tasktype"])
    assert served in answer.body["message"]
    assert door.received_anywhere() == {}


def test_all_problems_of_a_request_are_told_at_once(door: FrontDoor) -> None:
    # Given six mistakes
    request = body({"init_images": ["", 7]}, id="a/b", runtime="nosuch", tasktype="image-to-image", extra=1)
    request["tusk"] = {}

    # When
    answer = door.post("v1alpha2", request)

    # Then
    assert answer.status == 400
    assert sorted(answer.fields) == [
        "task.content.init_images.0",
        "task.content.init_images.1",
        "task.metadata.extra",
        "task.metadata.id",
        "task.metadata.runtime",
        "tusk",
    ]
    assert answer.body["message"].endswith("(and 5 more, see errors)")


def test_a_workflow_as_comfyuis_editor_saves_it_is_refused_with_how_to_export_it(door: FrontDoor) -> None:
    saved = {"last_node_id": 9, "nodes": [{"id": 3, "type": "KSampler"}], "links": [], "version": 0.4}

    for content, field in ((saved, "task.content"), ({"prompt": saved}, "task.content.prompt")):
        answer = door.post("v1alpha2", body(content, runtime="comfy", tasktype="pipeline"))

        assert (answer.status, answer.fields) == (400, [field])
        assert "Save (API Format)" in answer.body["message"]


@pytest.mark.parametrize(
    ("tasktype", "content", "fields"),
    [
        ("text-to-image", {"alwayson_scripts": []}, ["alwayson_scripts"]),
        ("image-to-image", {}, ["init_images"]),
        ("image-to-image", {"init_images": []}, ["init_images"]),
        ("image-to-image", {"init_images": "s3://b/c.png"}, ["init_images"]),
        ("extra-single-image", {}, ["image"]),
        ("extra-single-image", {"image": ["s3://b/c.png"]}, ["image"]),
        ("extra-batch-images", {}, ["imageList"]),
        ("extra-batch-images", {"imageList": {"data": "x"}}, ["imageList"]),
        ("extra-batch-images", {"imageList": ["x", {}]}, ["imageList.0", "imageList.1.data", "imageList.1.name"]),
        ("pipeline", {}, [""]),
        ("pipeline", {**NODES, "2": 7, "3": {"inputs": {}}, "4": {"class_type": "A"}}, ["2", "3", "4.inputs"]),
        ("pipeline", {"prompt": {}}, ["prompt"]),
        ("pipeline", {"prompt": {**NODES, "2": 7}, "extra_data": {}}, ["prompt.2"]),
        ("graph", {}, ["graph"]),
        ("ocr", {}, ["url"]),
        ("super-resolution", {"img": "aQ==", "scale": 8, "face": True}, ["scale", "face"]),
        ("human-segmentation", {"img": 1, "type": "blur"}, ["img", "type"]),
        ("graph", {"nodes": {}, "edges": []}, ["graph"]),
        ("graph", {"batch": {"runs": 2}}, ["batch.graph"]),
        ("graph", {"batch": []}, ["batch.graph"]),
    ],
)
def test_content_that_the_runtime_would_refuse_for_certain_is_refused(
    tasktype: str, content: Body, fields: list[str], door: FrontDoor
) -> None:
    runtime = RUNTIMES_OF_SAMPLES.get(tasktype, "sdruntime")

    answer = door.post("v1alpha2", body(content, runtime=runtime, tasktype=tasktype))

    assert answer.status == 400
    assert answer.fields == [f"task.content.{field}".rstrip(".") for field in fields]


@pytest.mark.parametrize(
    ("tasktype", "content", "field", "said"),
    [
        ("text-to-image", {"steps": 10**9}, "steps", "at most 500 (taskPolicy.maxSteps), got 1000000000"),
        ("image-to-image", {"init_images": [f"s3://b/{n}" for n in range(65)]}, "", "at most 64 links"),
        ("text-to-image", {"script_name": "custom code"}, "script_name", "taskPolicy.allowedScripts"),
        (
            "text-to-image",
            {"override_settings": {"sd_model_checkpoint": "evil"}},
            "override_settings.sd_model_checkpoint",
            "taskPolicy.allowedSettings",
        ),
        (
            "pipeline",
            {"1": {"class_type": "PythonExec", "inputs": {}}},
            "1.class_type",
            "is denied (taskPolicy.deniedNodes), got 'PythonExec'",
        ),
        (
            "pipeline",
            {"1": {"class_type": "LoadImage", "inputs": {"image": "ComfyUI_00001_.png [output]"}}},
            "1.inputs.image",
            "[output]",
        ),
        ("graph", {"batch": {"graph": {"nodes": {}}, "runs": 10**9}}, "batch.runs", "taskPolicy.maxRuns"),
    ],
)
def test_a_task_over_its_runtimes_policy_is_refused_with_field_cap_and_value(
    tasktype: str, content: Body, field: str, said: str, door: FrontDoor
) -> None:
    runtime = RUNTIMES_OF_SAMPLES.get(tasktype, "sdruntime")

    answer = door.post("v1alpha2", body(content, runtime=runtime, tasktype=tasktype))

    assert (answer.status, answer.fields[0]) == (400, f"task.content.{field}".rstrip("."))
    assert said in answer.body["message"]
    assert door.received_anywhere() == {}


def test_a_runtimes_own_policy_counts(standing_door: FrontDoor) -> None:
    # Given a runtime that may do more steps, and another that may do fewer
    entries = [
        RuntimeEntry(name, RuntimeType.SDWEBUI, name, task_policy=TaskPolicy(max_steps=steps))
        for name, steps in (("sdruntime", 1000), ("other", 10))
    ]
    door = standing_door.with_catalog(Catalog(tuple(entries)))

    # When / Then
    assert door.post("v1alpha2", body({"steps": 900})).status == 200
    assert door.post("v1alpha2", body({"steps": 11}, runtime="other")).status == 400


def test_a_model_is_a_setting_only_where_a_task_may_choose_it(door: FrontDoor) -> None:
    content = {"override_settings": {"sd_model_checkpoint": "other"}}

    assert door.post("v1alpha2", body(content, runtime="switching")).status == 200
    assert door.post("v1alpha2", body(content, runtime="sdruntime")).status == 400


@pytest.mark.parametrize("scripts", [{}, None, {"controlnet": {"args": []}}])
def test_usual_alwayson_scripts_are_left_alone(scripts: Any, door: FrontDoor) -> None:
    for runtime in ("sdruntime", "switching"):
        door.post("v1alpha2", body({"alwayson_scripts": scripts}, runtime=runtime))

        [message] = door.received(runtime)
        assert message.body["task"]["content"] == {"alwayson_scripts": scripts}


@pytest.mark.parametrize("runtime", ["sdruntime", "switching"])
@pytest.mark.parametrize("model", [MODEL, "v1-5-pruned-emaonly", "", None])
def test_the_model_that_a_task_names_is_left_for_the_agent_to_judge(runtime: str, model: Any, door: FrontDoor) -> None:
    # Given a WebUI's model, which has a title, a name and a hash beside the file name that the front door knows
    content = {"alwayson_scripts": {"sd_model_checkpoint": model}}

    # When
    door.post("v1alpha2", body(content, runtime=runtime))

    # Then
    [message] = door.received(runtime)
    assert message.body["task"]["content"] == content


@pytest.mark.parametrize("model", [7, [], {}, True])
def test_a_model_that_is_no_name_is_refused(model: Any, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", body({"alwayson_scripts": {"sd_model_checkpoint": model}}, runtime="switching"))

    assert (answer.status, answer.fields) == (400, ["task.content.alwayson_scripts.sd_model_checkpoint"])
