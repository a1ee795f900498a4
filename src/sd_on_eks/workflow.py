"""Jobs for ComfyUI: a workflow in API format, with some of its fields set."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sd_on_eks.errors import JobError
from sd_on_eks.jobs import Job, read_object

HOW_TO_EXPORT = "in ComfyUI choose 'Export (API)' in the Workflow menu"


def workflow(source: str | Path | Mapping[str, Any], inputs: Mapping[str, Any] | None = None) -> Job:
    """A workflow, from a file or as an object, bare or inside the body of ``POST /prompt``.

    ``inputs`` sets fields by ``{title}.{field}`` or ``{node id}.{field}``, as in ``{"Positive prompt.text": "a cat"}``.
    A title is the one that the editor shows; the last dot ends it. A Path or bytes as a value is a file, which is
    uploaded, and its link becomes the value. Raises JobError for what the workflow does not have.
    """
    content = copy.deepcopy(dict(read_object(source)))
    nodes = _nodes(content)
    for address, value in (inputs or {}).items():
        _set(nodes, address, value)
    return Job(tasktype="pipeline", content=content)


def _nodes(content: Mapping[str, Any]) -> Mapping[str, Any]:
    prompt = content.get("prompt")
    nodes = prompt if isinstance(prompt, dict) and "class_type" not in prompt else content
    if not nodes or not all(isinstance(node, dict) and "class_type" in node for node in nodes.values()):
        raise JobError(f"this is not a workflow in API format; {HOW_TO_EXPORT} and take that file")
    return nodes


def _set(nodes: Mapping[str, Any], address: str, value: Any) -> None:
    name, dot, field = address.rpartition(".")
    if not dot or not name or not field:
        raise JobError(f"{address!r} must be 'title.field', such as 'Positive prompt.text'")
    found = list(_named(nodes, name))
    if not found:
        titles = ", ".join(sorted({repr(_title(node)) for node in nodes.values()}))
        raise JobError(f"{address!r}: the workflow has no node {name!r}; it has {titles}")
    if len(found) > 1:
        ids = ", ".join(node_id for node_id, _ in found)
        raise JobError(
            f"{address!r}: the nodes {ids} are all named {name!r}; use a node's id, as in '{found[0][0]}.{field}'"
        )
    fields = found[0][1].get("inputs", {})
    if field not in fields:
        raise JobError(f"{address!r}: node {name!r} has no field {field!r}; it has {', '.join(map(repr, fields))}")
    fields[field] = value


def _named(nodes: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """The nodes of that id, or else of that title."""
    if name in nodes:
        yield name, nodes[name]
        return
    for node_id, node in nodes.items():
        if _title(node) == name:
            yield node_id, node


def _title(node: Mapping[str, Any]) -> str:
    """What the editor shows: the title, which is the node's class where nobody changed it."""
    meta = node.get("_meta")
    return str((meta.get("title") if isinstance(meta, dict) else None) or node["class_type"])
