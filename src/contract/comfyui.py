"""What a ``pipeline`` task must be: a workflow of ComfyUI in API format, bare or as its ``POST /prompt`` takes it."""

from collections.abc import Iterator, Mapping
from typing import Any

from contract.errors import Problem, shown

HOW_TO_EXPORT = (
    "in ComfyUI export the workflow with 'Export (API)' of the Workflow menu "
    "(older: 'Save (API Format)', after 'Enable Dev mode Options' in the settings) and send that file"
)

SOCKET_ONLY = "SaveImageWebsocket"
"""The core's node that sends images to the socket and stores none: a lost connection would lose them."""

WRAPPER_KEYS = ("prompt", "extra_data", "client_id")
"""Of ``POST /prompt``. ``client_id`` is accepted, as scripts have it, and ignored: the agent listens for itself."""


def workflow_of(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The workflow of a content, unchecked, and its path in it: empty, or ``prompt``."""
    prompt = content.get("prompt")
    return (prompt, "prompt") if isinstance(prompt, dict) and "class_type" not in prompt else (content, "")


def workflow_problems(content: Mapping[str, Any]) -> Iterator[Problem]:
    """Why ComfyUI, or the agent, would refuse the content for certain. Fields are paths in ``content``."""
    workflow, path = workflow_of(content)
    if isinstance(workflow.get("nodes"), list):
        yield Problem(path, f"is a workflow in ComfyUI's own save format, which its API does not take; {HOW_TO_EXPORT}")
        return
    if path:
        yield from _wrapper_problems(content)
    if not workflow:
        yield Problem(path, "must be a workflow: ComfyUI refuses one without nodes")
    for node_id, node in workflow.items():
        yield from _node_problems(workflow, node_id, node, f"{path}.{node_id}" if path else node_id)


def _wrapper_problems(content: Mapping[str, Any]) -> Iterator[Problem]:
    for key in content:
        if key not in WRAPPER_KEYS:
            yield Problem(key, f"is not a known field; a content with 'prompt' may hold {', '.join(WRAPPER_KEYS)}")
    extra = content.get("extra_data")
    if extra is not None and not isinstance(extra, dict):
        yield Problem("extra_data", f"must be an object, got {shown(extra)}")


def _node_problems(workflow: Mapping[str, Any], node_id: str, node: Any, field: str) -> Iterator[Problem]:
    if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
        yield Problem(
            field, f"must be a node, an object with class_type and inputs, got {shown(node)}; {HOW_TO_EXPORT}"
        )
    elif not isinstance(node.get("inputs"), dict):
        problem = f"must be an object, got {shown(node.get('inputs'))}; {HOW_TO_EXPORT}"
        yield Problem(f"{field}.inputs", f"{name_node(workflow, node_id)}: {problem}")
    elif node["class_type"] == SOCKET_ONLY:
        problem = "stores no file that could be delivered; use SaveImage instead"
        yield Problem(field, f"{name_node(workflow, node_id)} {problem}")


def name_node(workflow: Mapping[str, Any], node_id: str, class_type: str = "?") -> str:
    """``node 3 (KSampler "my title")``: what a person finds in the editor."""
    node = workflow.get(node_id)
    if not isinstance(node, dict):
        return f"node {node_id} ({class_type})"
    meta = node.get("_meta")
    title = meta.get("title") if isinstance(meta, dict) else None
    kind = node.get("class_type", class_type)
    return f'node {node_id} ({kind} "{title}")' if title and title != kind else f"node {node_id} ({kind})"
