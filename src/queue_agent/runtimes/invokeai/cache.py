"""InvokeAI's cache of nodes: what a node gave serves every equal node, whichever client's batch it is in.

A task's images are deleted once they are stored. If the cache had them, an image of another client could be among them,
another client could be given one of them, and a task would lose an image that it shares with the task before it.
"""

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any

SHARED_TYPES = ("*loader", "*compel*", "*text_encoder", "clip_skip")
"""Node types that give no image and whose repetition costs time on the GPU: models and prompts."""


def uncached(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the batch whose nodes neither take from the cache nor give to it, but for SHARED_TYPES. What is no node
    stays: InvokeAI says what is wrong with it."""
    graph = wanted["graph"]
    nodes = graph.get("nodes")
    if not isinstance(nodes, Mapping):
        return dict(wanted)
    return {**wanted, "graph": {**graph, "nodes": {key: _uncached(node) for key, node in nodes.items()}}}


def _uncached(node: Any) -> Any:
    if not isinstance(node, Mapping) or any(fnmatch(str(node.get("type")), shared) for shared in SHARED_TYPES):
        return node
    return {**node, "use_cache": False}
