"""What a node of the simulated ComfyUI is: how it describes itself, and what it sees while it runs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeAlias, TypeVar

from utils.simulators.base import Options
from utils.simulators.comfyui.disk import Disk

P = ParamSpec("P")
T = TypeVar("T")

Prompt: TypeAlias = dict[str, dict[str, Any]]
"""A workflow in API format: node id → ``{"class_type": …, "inputs": {…}}``."""

Inputs: TypeAlias = Mapping[str, Mapping[str, Any]]
"""``required``, ``optional`` and ``hidden`` inputs, exactly as /object_info shows them."""

LINK_LENGTH = 2
"""A link is ``[node id, number of its output]``."""


class Interrupted(Exception):
    """POST /interrupt was called for the prompt that runs."""


class NodeFailure(Exception):
    """A failure under the name of an exception that this process does not have, such as torch's."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_


@dataclass(frozen=True, slots=True)
class World:
    """What all nodes share."""

    options: Options
    disk: Disk


@dataclass(frozen=True, slots=True)
class Produced:
    """What a node gave: one value for each of its outputs, and what the UI and the history show of it."""

    values: tuple[Any, ...] = ()
    ui: Mapping[str, list[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What a node sees of the prompt that it runs in.

    ``step(value, maximum)`` reports progress; it and ``check`` raise Interrupted when the prompt was interrupted.
    ``preview`` sends a small image to the prompt's client, where the prompt asked for previews.
    """

    world: World
    prompt: Prompt
    extra_data: Mapping[str, Any]
    signature: str
    step: Callable[[int, int], Awaitable[None]]
    check: Callable[[], None]
    preview: Callable[[Any], Awaitable[None]]

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Compute outside of the server's loop, so that the server answers meanwhile."""
        self.check()
        made = await asyncio.to_thread(function, *args, **kwargs)
        self.check()
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node class.

    ``file_input`` names the input that holds a file's name: it must exist, and its content counts in the cache.
    """

    name: str
    display_name: str
    category: str
    run: Callable[..., Awaitable[Produced]]
    inputs: Callable[[World], Inputs]
    outputs: tuple[str, ...] = ()
    output_node: bool = False
    description: str = ""
    file_input: str | None = None

    def values(self, world: World) -> dict[str, list[Any]]:
        """Every input that a prompt may set: name → [type, config]."""
        sections = self.inputs(world)
        return {**sections.get("required", {}), **sections.get("optional", {})}

    def info(self, world: World) -> dict[str, Any]:
        """The node's entry in /object_info."""
        inputs = self.inputs(world)
        return {
            "input": inputs,
            "input_order": {section: list(names) for section, names in inputs.items()},
            "output": list(self.outputs),
            "output_is_list": [False] * len(self.outputs),
            "output_name": list(self.outputs),
            "name": self.name,
            "display_name": self.display_name,
            "description": self.description,
            "python_module": "nodes",
            "category": self.category,
            "output_node": self.output_node,
        }


def links(prompt: Prompt, node_id: str) -> dict[str, tuple[str, int]]:
    """The inputs of a node that come from other nodes: name → (node id, output number)."""
    inputs = prompt[node_id].get("inputs")
    values = inputs.items() if isinstance(inputs, dict) else ()
    return {name: (value[0], value[1]) for name, value in values if is_link(value) and len(value) == LINK_LENGTH}


def is_link(value: Any) -> bool:
    """Lists are links, right or wrong ones: no input takes a list as its value."""
    return isinstance(value, list)


def integer(default: int, low: int, high: int, **more: Any) -> list[Any]:
    """An INT input as /object_info shows it."""
    return ["INT", {"default": default, "min": low, "max": high, **more}]


def decimal(default: float, low: float, high: float, **more: Any) -> list[Any]:
    """A FLOAT input as /object_info shows it."""
    return ["FLOAT", {"default": default, "min": low, "max": high, **more}]


def text(default: str = "", **more: Any) -> list[Any]:
    """A STRING input as /object_info shows it."""
    return ["STRING", {"default": default, **more}]
