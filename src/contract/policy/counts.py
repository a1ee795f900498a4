"""How many entries a task's content may have, so that a flood of them is refused before each is looked at."""

from collections.abc import Iterator, Mapping
from typing import Any

from contract.comfyui import workflow_of
from contract.errors import Problem
from contract.runtimes import RuntimeType
from contract.webui import OVERRIDES, SCRIPTS

MAX_NODES = 2_000
"""Nodes of a workflow or a graph. Large ones that people share have some hundreds."""

MAX_FIELDS = 1_000
"""Entries of an object or a list of the WebUI's API, which has about a hundred fields, and of its scripts and settings.
"""


def excesses(runtime_type: RuntimeType, content: Mapping[str, Any]) -> Iterator[Problem]:
    """What of ``content`` holds too many entries. Fields are paths in ``content``."""
    match runtime_type:
        case RuntimeType.SDWEBUI:
            yield from webui_excesses(content)
        case RuntimeType.COMFYUI:
            workflow, path = workflow_of(content)
            yield from _excess(path, "nodes", workflow, MAX_NODES)
        case RuntimeType.INVOKEAI:
            nodes, path = graph_nodes(content)
            yield from _excess(path, "nodes", nodes, MAX_NODES)


def webui_excesses(content: Mapping[str, Any]) -> Iterator[Problem]:
    """Of a body of the WebUI, with or without the platform's keys."""
    yield from _excess("", "fields", content, MAX_FIELDS)
    scripts = content.get(SCRIPTS)
    yield from _excess(SCRIPTS, "names", scripts, MAX_FIELDS)
    yield from _excess(OVERRIDES, "names", content.get(OVERRIDES), MAX_FIELDS)
    if isinstance(scripts, dict):
        yield from _excess(f"{SCRIPTS}.{OVERRIDES}", "names", scripts.get(OVERRIDES), MAX_FIELDS)
    for images in ("init_images", "imageList"):
        yield from _excess(images, "images", content.get(images), MAX_FIELDS)


def graph_nodes(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The nodes of an InvokeAI graph or batch, and their path in ``content``; none where there is no graph."""
    batch = content.get("batch", content)
    graph = batch.get("graph") if isinstance(batch, dict) else None
    nodes = graph.get("nodes") if isinstance(graph, dict) else None
    return nodes if isinstance(nodes, dict) else {}, "batch.graph.nodes" if "batch" in content else "graph.nodes"


def _excess(field: str, what: str, value: Any, most: int) -> Iterator[Problem]:
    if isinstance(value, dict | list) and len(value) > most:
        yield Problem(field, f"must hold at most {most} {what}, got {len(value)}")
