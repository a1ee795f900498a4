"""The policy's rules for tasks that are made of nodes: workflows of ComfyUI and graphs of InvokeAI.

Values that another node computes are not known here; the time-out of the run bounds them.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from contract.comfyui import workflow_of
from contract.errors import Problem, shown
from contract.links import TEXT_FIELDS, is_link
from contract.policy.counts import graph_nodes
from contract.policy.model import TaskPolicy, matches
from contract.policy.numbers import number, over_cap

PREFIX_FIELD = "filename_prefix"
"""A text field for links, and a path for the runtime."""

MAX_PATH_LENGTH = 4096
"""Of Linux. Longer strings are data."""

BASE64_JPEG = "/9j/"
"""How a JPEG in base64 begins, which some custom nodes take: no path."""

_PARENT = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)")
_ABSOLUTE = re.compile(r"\s*(?:[/\\~]|[A-Za-z]:[/\\])")
_ANNOTATED = re.compile(r"\[(?:input|output|temp)\]\s*$", re.IGNORECASE)
"""How ComfyUI takes a file from another folder than that of the inputs."""


class Node(NamedTuple):
    """``field`` is the node's path in the content, ``kind`` its class, ``inputs_field`` the path of ``inputs``."""

    field: str
    kind: str
    kind_field: str
    inputs: Mapping[str, Any]
    inputs_field: str


def workflow_violations(policy: TaskPolicy, content: Mapping[str, Any]) -> Iterator[Problem]:
    """Of a ComfyUI workflow. Fields are paths in ``content``."""
    yield from _violations(policy, _workflow_nodes(content), runs=1)


def graph_violations(policy: TaskPolicy, content: Mapping[str, Any]) -> Iterator[Problem]:
    """Of an InvokeAI graph or batch. Fields are paths in ``content``."""
    batch = content.get("batch")
    runs = _runs(batch) if isinstance(batch, dict) else 1
    yield from over_cap("batch.runs", "runs x data ", runs, policy.max_runs, "maxRuns")
    yield from _violations(policy, _graph_nodes(content), runs)


def _workflow_nodes(content: Mapping[str, Any]) -> Iterator[Node]:
    workflow, path = workflow_of(content)
    for node_id, node in workflow.items():
        if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
            continue
        field = f"{path}.{node_id}" if path else node_id
        inputs = node.get("inputs")
        yield Node(
            field,
            node["class_type"],
            f"{field}.class_type",
            inputs if isinstance(inputs, dict) else {},
            f"{field}.inputs",
        )


def _graph_nodes(content: Mapping[str, Any]) -> Iterator[Node]:
    nodes, path = graph_nodes(content)
    for node_id, node in nodes.items():
        if isinstance(node, dict) and isinstance(node.get("type"), str):
            field = f"{path}.{node_id}"
            yield Node(field, node["type"], f"{field}.type", node, field)


def _violations(policy: TaskPolicy, nodes: Iterator[Node], runs: float) -> Iterator[Problem]:
    largest, images, steps, steps_field = 0.0, 1.0, 0.0, ""
    for node in nodes:
        yield from _kind_violations(policy, node)
        yield from _path_violations(node.inputs, node.inputs_field)
        pixels = number(node.inputs.get("width"), 0) * number(node.inputs.get("height"), 0)
        yield from over_cap(f"{node.inputs_field}.width", "width x height ", pixels, policy.max_pixels, "maxPixels")
        own_steps = number(node.inputs.get("steps"), 0)
        yield from over_cap(f"{node.inputs_field}.steps", "", own_steps, policy.max_steps, "maxSteps")
        batch = number(node.inputs.get("batch_size"), 1)
        yield from over_cap(f"{node.inputs_field}.batch_size", "", batch, policy.max_outputs, "maxOutputs")
        largest, images, steps = max(largest, pixels), max(images, batch), steps + own_steps
        if own_steps and not steps_field:
            steps_field = f"{node.inputs_field}.steps"
    work = largest * steps * images * runs
    yield from over_cap(steps_field, "width x height x steps x images ", work, policy.max_pixel_steps, "maxPixelSteps")


def _kind_violations(policy: TaskPolicy, node: Node) -> Iterator[Problem]:
    if matches(node.kind, policy.denied_nodes):
        yield Problem(node.kind_field, f"is denied (taskPolicy.deniedNodes), got {shown(node.kind)}")
    elif not matches(node.kind, policy.allowed_nodes):
        allowed = ", ".join(policy.allowed_nodes) or "none"
        yield Problem(node.kind_field, f"is not allowed (taskPolicy.allowedNodes: {allowed}), got {shown(node.kind)}")


def _path_violations(value: Any, field: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == PREFIX_FIELD or key not in TEXT_FIELDS or isinstance(inner, dict):
                yield from _path_violations(inner, f"{field}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _path_violations(inner, f"{field}.{index}")
    elif isinstance(value, str) and len(value) <= MAX_PATH_LENGTH and not is_link(value):
        if _PARENT.search(value) or (_ABSOLUTE.match(value) and not value.startswith(BASE64_JPEG)):
            yield Problem(field, f"must be a file's name or a relative path without '..', got {shown(value)}")
        elif _ANNOTATED.search(value):
            yield Problem(field, f"must name a file without [input], [output] or [temp], got {shown(value)}")


def _runs(batch: Mapping[str, Any]) -> float:
    """``runs`` times the combinations of ``data``: its groups are combined, the lists of one group go in step."""
    runs = number(batch.get("runs"), 1)
    groups = batch.get("data")
    for group in groups if isinstance(groups, list) else ():
        lengths = [
            len(datum["items"])
            for datum in (group if isinstance(group, list) else ())
            if isinstance(datum, dict) and isinstance(datum.get("items"), list)
        ]
        runs *= max(lengths, default=1)
        if math.isinf(runs):
            break
    return runs
