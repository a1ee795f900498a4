"""The cache of a simulated InvokeAI: what a node gave, for every equal node of whichever client."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from utils.simulators.invokeai.fields import Output
from utils.simulators.invokeai.nodes import Node

MAX_NODES = 512
"""Nodes whose outputs are held; those that were not asked for the longest go first (the real one's
``node_cache_size``)."""


@dataclass(frozen=True, slots=True)
class Cached:
    """What a node gave, and the tensors that its output names."""

    output: Output
    tensors: Mapping[str, Any]


class NodeCache:
    """Outputs by all that a node was given; its id does not count."""

    def __init__(self) -> None:
        self._cached: OrderedDict[str, Cached] = OrderedDict()

    def find(self, node: Node) -> Cached | None:
        """What an equal node gave; None when none has run, or the node is not to be taken from here."""
        if not node.use_cache or (key := _key(node)) not in self._cached:
            return None
        self._cached.move_to_end(key)
        return self._cached[key]

    def add(self, node: Node, cached: Cached) -> None:
        """Hold what the node gave, unless it is not to be held."""
        if not node.use_cache:
            return
        self._cached[_key(node)] = cached
        while len(self._cached) > MAX_NODES:
            self._cached.popitem(last=False)

    def forget(self, image_name: str) -> None:
        """The image was deleted: no output that names it is held any longer."""
        gone = [key for key, cached in self._cached.items() if image_name in cached.output.model_dump_json()]
        for key in gone:
            del self._cached[key]


def _key(node: Node) -> str:
    return node.model_dump_json(exclude={"id"}, warnings=False)
