"""The workflow of a task, as ComfyUI's POST /prompt takes it."""

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from contract.comfyui import workflow_of, workflow_problems
from queue_agent.errors import PermanentError
from queue_agent.runtimes.base import Path

Workflow: TypeAlias = dict[str, dict[str, Any]]
"""API format: node id → ``{"class_type": …, "inputs": {…}, "_meta": {"title": …}}``."""

MODEL_INPUTS = ("ckpt_name", "unet_name")
"""Where the core's loaders name the model: CheckpointLoaderSimple and its like; UNETLoader and its like."""

SEED_INPUTS = ("seed", "noise_seed")
"""KSampler and its like; KSamplerAdvanced, RandomNoise."""

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
        raise _fault(": is nested beyond reason") from error
    problem = next(workflow_problems(copy), None)
    if problem is not None:
        raise _fault(f"{'.' if problem.field else ': '}{problem}")
    _, path = workflow_of(copy)
    return Request(copy, copy["prompt"], copy.get("extra_data") or {}) if path else Request(copy, copy)


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
    return PermanentError("content", f"content{message}")
