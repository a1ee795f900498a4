"""What ``POST /v1alpha2`` refuses, with each problem named."""

from typing import Any

import pytest

from contract.catalog import Catalog, RuntimeEntry
from contract.policy import TaskPolicy
from contract.runtimes import RuntimeType
from test.frontend_lambda.bodies import NODES, Body, body

from .conftest import RUNTIMES_OF_SAMPLES, FrontDoor


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


@pytest.mark.parametrize("model", [7, [], {}, True])
def test_a_model_that_is_no_name_is_refused(model: Any, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", body({"alwayson_scripts": {"sd_model_checkpoint": model}}, runtime="switching"))

    assert (answer.status, answer.fields) == (400, ["task.content.alwayson_scripts.sd_model_checkpoint"])
