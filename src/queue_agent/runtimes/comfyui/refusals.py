"""ComfyUI's words for what went wrong, as the errors that a user gets: which node, which field, why."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from contract.comfyui import name_node
from contract.errors import truncate
from queue_agent.errors import AgentError, PermanentError, RuntimeFault
from queue_agent.runtimes.breakage import is_broken, is_out_of_memory
from queue_agent.runtimes.comfyui.workflow import Workflow

LONGEST_MESSAGE = 2000
"""Characters of an error's text: a list of all models of a bucket would fill the callback."""

STUMBLED = frozenset({"exception_during_validation", "exception_during_inner_validation"})
"""An edge from a missing node ends like this, with no more than that node's id as the cause; the second type names the
input of the node behind it as well, which misleads."""

EDGE_LENGTH = 2
"""An input that another node gives is ``[node id, number of its output]``."""

_NODE_ID = re.compile(r"Node ID '#(?P<id>.+)'")


def refusal(workflow: Workflow, answer: Any) -> PermanentError:
    """What a 400 of POST /prompt says: ``{"error": {type, message, details}, "node_errors": {id: {errors}}}``."""
    error = answer.get("error") if isinstance(answer, dict) else None
    found = list(_node_problems(workflow, answer.get("node_errors"))) if isinstance(answer, dict) else []
    if not found and isinstance(error, dict):
        found = [_prompt_problem(workflow, error)]
    return PermanentError(
        "invalid-workflow",
        truncate(f"ComfyUI refused the workflow: {'; '.join(found or [str(answer)])}", LONGEST_MESSAGE),
    )


def ignored_outputs(workflow: Workflow, node_errors: Mapping[str, Any]) -> PermanentError:
    """ComfyUI took the prompt and would leave out the outputs that depend on these nodes."""
    found = "; ".join(_node_problems(workflow, node_errors))
    return PermanentError(
        "invalid-workflow", truncate(f"ComfyUI would leave out a part of the outputs: {found}", LONGEST_MESSAGE)
    )


def failure(workflow: Workflow, event: Mapping[str, Any]) -> AgentError:
    """An execution_error: ``{node_id, node_type, exception_type, exception_message, …}``."""
    node = name_node(workflow, str(event.get("node_id")), str(event.get("node_type")))
    kind = str(event.get("exception_type"))
    said = " ".join(str(event.get("exception_message")).split())
    text = truncate(f"{node} failed: {kind}: {said}", LONGEST_MESSAGE)
    if is_out_of_memory(f"{kind}: {said}"):
        return RuntimeFault("out-of-memory", text)
    if is_broken(f"{kind}: {said}"):
        return RuntimeFault("runtime-broken", text, broken=True)
    return PermanentError("node-failed", text)


def _node_problems(workflow: Workflow, node_errors: Any) -> Iterator[str]:
    for node_id, about in node_errors.items() if isinstance(node_errors, dict) else ():
        node = name_node(workflow, node_id, about.get("class_type", "?"))
        for problem in about.get("errors", ()):
            dangling = list(_dangling_edges(workflow, node_id)) if problem.get("type") in STUMBLED else []
            if dangling:
                yield from dangling
                continue
            field = (problem.get("extra_info") or {}).get("input_name")
            text = _with_details(problem.get("message", ""), problem.get("details", ""), field)
            yield f"{node}, field {field}: {text}" if field else f"{node}: {text}"


def _dangling_edges(workflow: Workflow, node_id: str) -> Iterator[str]:
    """The node's inputs that come from a node that is not there."""
    for field, value in workflow[node_id]["inputs"].items() if node_id in workflow else ():
        if isinstance(value, list) and len(value) == EDGE_LENGTH and str(value[0]) not in workflow:
            yield (
                f"{name_node(workflow, node_id)}, field {field}: takes its value from node {value[0]}, which the "
                "workflow does not have"
            )


def _prompt_problem(workflow: Workflow, error: Mapping[str, Any]) -> str:
    details = str(error.get("details") or "")
    text = _with_details(str(error.get("message")), details, None)
    found = _NODE_ID.search(details)
    if found:
        return f"{name_node(workflow, found['id'])}: {error.get('message')}"
    if error.get("type") == "prompt_no_outputs":
        return f"{text}; it needs a node that gives some, such as SaveImage"
    return text


def _with_details(message: str, details: str, field: str | None) -> str:
    """The message, and of the details what neither the message nor the field's name says."""
    if field:
        details = details.removeprefix(field).lstrip(" ,:-")
    return f"{message} ({details})" if details else message
