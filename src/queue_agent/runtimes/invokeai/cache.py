"""InvokeAI's cache of nodes: what a node gave serves every equal node, whichever client's batch it is in.

A task's images are deleted once they are stored. If the cache had them, an image of another client could be among them,
another client could be given one of them, and a task would lose an image that it shares with the task before it.
"""

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any

SHARED_TYPES = (
    "*model_loader",
    "*lora_loader",
    "*lora_collection_loader",
    "*encoder_loader",
    "vae_loader",
    "clip_skip",
    "*compel*",
    "*text_encoder",
)
"""Node types that give no image, and by which a prompt is encoded once for all tasks that have it, which takes seconds
with some models. From the node types of 6.14.2."""


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
