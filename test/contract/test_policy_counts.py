"""How many entries a content may have, before any of them is looked at."""

from collections.abc import Callable
from typing import Any

import pytest

from contract.policy import TaskPolicy, violations
from contract.policy.counts import MAX_FIELDS, MAX_NODES
from contract.runtimes import RuntimeType, TaskType

POLICY = TaskPolicy(allowed_alwayson_scripts=("*",), allowed_settings=("*",))


def names(number: int, value: Any = 1) -> dict[str, Any]:
    return {str(one): value for one in range(number)}


def nodes(number: int) -> dict[str, Any]:
    return names(number, {"class_type": "A", "type": "a", "inputs": {}})


IMAGE = TaskType.TEXT_TO_IMAGE
CASES: dict[str, tuple[RuntimeType, TaskType, Callable[[int], dict[str, Any]], str]] = {
    "workflow": (RuntimeType.COMFYUI, TaskType.PIPELINE, nodes, ""),
    "wrapped workflow": (RuntimeType.COMFYUI, TaskType.PIPELINE, lambda n: {"prompt": nodes(n)}, "prompt"),
    "graph": (RuntimeType.INVOKEAI, TaskType.GRAPH, lambda n: {"graph": {"nodes": nodes(n)}}, "graph.nodes"),
    "batch": (
        RuntimeType.INVOKEAI,
        TaskType.GRAPH,
        lambda n: {"batch": {"graph": {"nodes": nodes(n)}}},
        "batch.graph.nodes",
    ),
    "fields": (RuntimeType.SDWEBUI, IMAGE, names, ""),
    "scripts": (RuntimeType.SDWEBUI, IMAGE, lambda n: {"alwayson_scripts": names(n)}, "alwayson_scripts"),
    "settings": (RuntimeType.SDWEBUI, IMAGE, lambda n: {"override_settings": names(n)}, "override_settings"),
    "settings among the scripts": (
        RuntimeType.SDWEBUI,
        IMAGE,
        lambda n: {"alwayson_scripts": {"override_settings": names(n)}},
        "alwayson_scripts.override_settings",
    ),
    "images": (RuntimeType.SDWEBUI, IMAGE, lambda n: {"init_images": ["x"] * n}, "init_images"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_more_than_the_most_is_refused_by_its_number(case: str) -> None:
    # Given
    runtime_type, tasktype, made, field = CASES[case]
    most = MAX_FIELDS if runtime_type is RuntimeType.SDWEBUI else MAX_NODES

    # Then
    assert violations(POLICY, runtime_type, tasktype, made(most)) == []
    (problem,) = violations(POLICY, runtime_type, tasktype, made(most + 1))
    assert problem.field == field
    assert problem.problem.startswith(f"must hold at most {most} ")
    assert problem.problem.endswith(f", got {most + 1}")
