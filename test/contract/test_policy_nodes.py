"""What a task that is made of nodes may ask of its runtime."""

from typing import Any

import pytest

from contract.policy import TaskPolicy, violations
from contract.policy.model import DENIED_NODES
from contract.runtimes import RuntimeType, TaskType

POLICY = TaskPolicy()
LINK = "https://example.com/cat.png"


def of_workflow(inputs: dict[str, Any], policy: TaskPolicy = POLICY, node: str = "KSampler") -> dict[str, str]:
    content = {"3": {"class_type": node, "inputs": inputs}}
    return {found.field: found.problem for found in violations(policy, RuntimeType.COMFYUI, TaskType.PIPELINE, content)}


def of_graph(content: dict[str, Any], policy: TaskPolicy = POLICY) -> dict[str, str]:
    return {found.field: found.problem for found in violations(policy, RuntimeType.INVOKEAI, TaskType.GRAPH, content)}


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        ("cat.png", False),
        ("clipspace/cat.png", False),
        (LINK, False),
        ("s3://bucket/../cat.png", False),
        ("/9j/4AAQSkZJRg==", False),
        ("/" + "A" * 5000, False),
        ("wait... what", False),
        (7, False),
        (["4", 0], False),
        ("/etc/passwd", True),
        ("../../etc/passwd", True),
        ("a/../b.png", True),
        ("a\\..\\b.png", True),
        ("..", True),
        ("C:\\a.png", True),
        ("\\\\host\\share", True),
        ("~/a.png", True),
        (" /a.png", True),
        ("ComfyUI_00001_.png [output]", True),
        ("ComfyUI_00001_.png[temp]", True),
        ("cat.png [input] ", True),
        (["cat.png", "/etc/passwd"], True),
        ({"path": "/etc/passwd"}, True),
    ],
)
def test_an_input_names_no_file_outside_the_inputs(value: Any, refused: bool) -> None:
    found = of_workflow({"image": value}, node="LoadImage")

    assert bool(found) is refused
    assert all(field.startswith("3.inputs.image") for field in found)


@pytest.mark.parametrize(("prefix", "refused"), [("ComfyUI", False), ("a/b", False), ("../x", True), ("/tmp/x", True)])
def test_a_file_name_prefix_stays_in_its_folder(prefix: str, refused: bool) -> None:
    assert bool(of_workflow({"filename_prefix": prefix}, node="SaveImage")) is refused


@pytest.mark.parametrize("text", ["/imagine a cat", "a [input]", "../x", "~"])
def test_a_prompt_may_look_like_a_path(text: str) -> None:
    assert of_workflow({"text": text}, node="CLIPTextEncode") == {}


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"steps": 10**9}, "3.inputs.steps"),
        ({"width": 10**5, "height": 10**5}, "3.inputs.width"),
        ({"batch_size": 10**6}, "3.inputs.batch_size"),
    ],
)
def test_a_workflow_is_refused_above_each_cap(inputs: dict[str, Any], field: str) -> None:
    assert list(of_workflow(inputs)) == [field]


def test_the_work_of_a_workflow_is_that_of_all_its_nodes_together() -> None:
    # Given nodes that are each within their caps
    content = {
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 2048, "height": 2048, "batch_size": 4}},
        "3": {"class_type": "KSampler", "inputs": {"steps": 100, "latent_image": ["5", 0]}},
        "4": {"class_type": "KSampler", "inputs": {"steps": 100, "latent_image": ["3", 0]}},
    }

    # When
    [found] = violations(POLICY, RuntimeType.COMFYUI, TaskType.PIPELINE, content)

    # Then
    assert found.field == "3.inputs.steps"
    assert "got 3355443200" in found.problem


@pytest.mark.parametrize(
    ("node", "allowed", "denied", "passes"),
    [
        ("KSampler", ("*",), (), True),
        ("KSampler", ("*",), ("ksampler*",), False),
        ("KSampler", ("KSampler", "VAE*"), (), True),
        ("VAEDecode", ("KSampler", "VAE*"), (), True),
        ("LoadImage", ("KSampler", "VAE*"), (), False),
        ("PythonExec", ("*",), DENIED_NODES, False),
        ("LoadImageFromURL", ("*",), DENIED_NODES, False),
        ("VHS_LoadVideoPath", ("*",), DENIED_NODES, False),
        ("VHS_LoadVideo", ("*",), DENIED_NODES, True),
    ],
)
def test_nodes_are_judged_by_class_with_wildcards(
    node: str, allowed: tuple[str, ...], denied: tuple[str, ...], passes: bool
) -> None:
    policy = TaskPolicy(allowed_nodes=allowed, denied_nodes=denied)

    assert (of_workflow({}, policy, node) == {}) is passes
    assert (of_graph({"graph": {"nodes": {"a": {"type": node}}}}, policy) == {}) is passes


def test_a_workflow_wrapped_as_prompt_is_judged_too() -> None:
    content = {"prompt": {"3": {"class_type": "PythonExec", "inputs": {"file": "/etc/passwd"}}}}

    found = violations(POLICY, RuntimeType.COMFYUI, TaskType.PIPELINE, content)

    assert [one.field for one in found] == ["prompt.3.class_type", "prompt.3.inputs.file"]


@pytest.mark.parametrize(
    ("batch", "passes"),
    [
        ({"runs": 64}, True),
        ({"runs": 65}, False),
        ({"runs": 10**9}, False),
        ({"runs": 8, "data": [[{"items": [1] * 8}]]}, True),
        ({"runs": 8, "data": [[{"items": [1] * 9}]]}, False),
        ({"data": [[{"items": [1] * 9}], [{"items": [1] * 9}]]}, False),
        ({"data": [[{"items": [1] * 9}, {"items": [1] * 9}]]}, True),
        ({"runs": "many", "data": [7, [7, {"items": 7}]]}, True),
    ],
)
def test_runs_of_a_batch_are_capped_with_their_data(batch: dict[str, Any], passes: bool) -> None:
    found = of_graph({"batch": {"graph": {"nodes": {}}, **batch}})

    assert list(found) == ([] if passes else ["batch.runs"])


def test_a_graph_is_refused_above_each_cap() -> None:
    nodes = {"noise": {"type": "noise", "width": 10**5, "height": 10**5}, "d": {"type": "denoise", "steps": 10**9}}

    assert {"graph.nodes.noise.width", "graph.nodes.d.steps"} <= of_graph({"graph": {"nodes": nodes}}).keys()


def test_a_content_nested_beyond_what_python_can_follow_is_refused() -> None:
    value: Any = "/etc/passwd"
    for _ in range(5_000):
        value = [value]

    assert list(of_workflow({"image": value})) == [""]
