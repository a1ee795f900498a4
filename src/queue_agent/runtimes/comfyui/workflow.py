"""The workflow of a task, as ComfyUI's POST /prompt takes it."""

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from queue_agent.errors import PermanentError
from queue_agent.runtimes.base import Path

Workflow: TypeAlias = dict[str, dict[str, Any]]
"""API format: node id → ``{"class_type": …, "inputs": {…}, "_meta": {"title": …}}``."""

HOW_TO_EXPORT = (
    "in ComfyUI export the workflow with 'Export (API)' of the Workflow menu "
    "(older: 'Save (API Format)', after 'Enable Dev mode Options' in the settings) and send that file"
)

MODEL_INPUTS = ("ckpt_name", "unet_name")
"""Where the core's loaders name the model: CheckpointLoaderSimple and its like; UNETLoader and its like."""

SEED_INPUTS = ("seed", "noise_seed")
"""KSampler and its like; KSamplerAdvanced, RandomNoise."""

SOCKET_ONLY = "SaveImageWebsocket"
"""The core's node that sends images to the socket and keeps none: a lost connection would lose them."""

_ID_SEPARATOR = re.compile("[:.]")


@dataclass(frozen=True, slots=True)
class Request:
    """What a task asks of ComfyUI. ``content`` is the task's, with ``workflow`` inside it."""

    content: dict[str, Any]
    workflow: Workflow
    extra_data: dict[str, Any] = field(default_factory=dict)

    def put(self, path: Path, value: str) -> None:
        """Set the value that stands at this path of the content."""
        *parents, last = path
        place: Any = self.content
        for part in parents:
            place = place[part]
        place[last] = value


def read_content(content: Mapping[str, Any]) -> Request:
    """The request in a copy of a task's content: the bare workflow, or ``{"prompt": …, "extra_data": …}``.

    Raises PermanentError when it is neither.
    """
    try:
        copy = deepcopy(dict(content))
    except RecursionError as error:
        raise _fault("is nested beyond reason") from error
    wrapped = isinstance(copy.get("prompt"), dict) and "class_type" not in copy["prompt"]
    workflow = copy["prompt"] if wrapped else copy
    if isinstance(workflow.get("nodes"), list):
        raise _fault(f"this is a workflow in ComfyUI's own save format, which its API does not take; {HOW_TO_EXPORT}")
    if wrapped:
        _check_keys(copy)
    for node_id, node in workflow.items():
        _check_node(workflow, node_id, node)
    return Request(copy, workflow, (copy.get("extra_data") or {}) if wrapped else {})


def _check_keys(content: Mapping[str, Any]) -> None:
    """``client_id`` is accepted, as scripts have it, and means nothing here: the agent listens for itself."""
    unknown = sorted(set(content) - {"prompt", "extra_data", "client_id"})
    if unknown:
        raise _fault(f"beside 'prompt' only 'extra_data' may stand, not {', '.join(map(repr, unknown))}")
    if not isinstance(content.get("extra_data") or {}, dict):
        raise _fault("'extra_data' must be an object")


def _check_node(workflow: Workflow, node_id: str, node: Any) -> None:
    if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
        raise _fault(f"{node_id!r} is no node: an object with 'class_type' and 'inputs' is needed; {HOW_TO_EXPORT}")
    if not isinstance(node.get("inputs"), dict):
        raise _fault(f"{name_node(workflow, node_id)} has no 'inputs' object; {HOW_TO_EXPORT}")
    if node["class_type"] == SOCKET_ONLY:
        raise _fault(f"{name_node(workflow, node_id)} keeps no file that could be delivered; use SaveImage instead")


def name_node(workflow: Mapping[str, Any], node_id: str, class_type: str = "?") -> str:
    """``node 3 (KSampler "my title")``: what a person finds in the UI."""
    node = workflow.get(node_id)
    if not isinstance(node, dict):
        return f"node {node_id} ({class_type})"
    meta = node.get("_meta")
    title = meta.get("title") if isinstance(meta, dict) else None
    kind = node.get("class_type", class_type)
    return f'node {node_id} ({kind} "{title}")' if title and title != kind else f"node {node_id} ({kind})"


def models(workflow: Workflow) -> str | None:
    """The models that the loaders name, in node order."""
    named = [value for value in _inputs(workflow, MODEL_INPUTS) if isinstance(value, str)]
    return ", ".join(dict.fromkeys(named)) or None


def seeds(workflow: Workflow) -> tuple[int, ...]:
    """The seeds that the nodes were given, in node order; those that another node computes are not known."""
    return tuple(value for value in _inputs(workflow, SEED_INPUTS) if isinstance(value, int))


def in_node_order(node_id: str) -> list[tuple[int, int, str]]:
    """Sort key: by number where ids are numbers (``12``, ``12:3`` in a subgraph, ``12.0.0.3`` made by a node)."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _ID_SEPARATOR.split(node_id)]


def _inputs(workflow: Workflow, names: tuple[str, ...]) -> list[Any]:
    ordered = (workflow[node_id]["inputs"] for node_id in sorted(workflow, key=in_node_order))
    return [inputs[name] for inputs in ordered for name in names if name in inputs]


def _fault(message: str) -> PermanentError:
    return PermanentError("content", f"content: {message}")
