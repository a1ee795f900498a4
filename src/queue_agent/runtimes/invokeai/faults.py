"""What InvokeAI says went wrong, as the errors that a user gets: which node, which field, why."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from contract.errors import one_line, shown
from queue_agent.errors import AgentError, PermanentError, RuntimeFault
from queue_agent.runtimes.breakage import is_broken, is_out_of_memory

MAX_PROBLEMS = 5
LONGEST_TEXT = 500
"""Problems of a refused graph that the caller is shown, and characters of each text: the real ones list all node types
there are, several times."""

TYPING_MISTAKE = 0.8
"""How like a known node type (0..1) an unknown one must be to be taken for it mistyped."""


def problems(detail: Any, *, place: str) -> str:
    """The problems of a refused batch, each with its field below ``place``, where the batch stands in the task."""
    if not isinstance(detail, list) or not detail:
        return f"{place}: {cut(detail)}"
    listed = [_problem(one, place) for one in detail[:MAX_PROBLEMS]]
    more = len(detail) - len(listed)
    return "; ".join([*listed, f"and {more} more"] if more else listed)


def _problem(problem: Any, place: str) -> str:
    match problem:
        case {"type": "union_tag_invalid", "loc": [_, _, *path], "ctx": {"tag": tag, "expected_tags": known}}:
            return f"{dotted((place, *path))}: InvokeAI has no node type {shown(tag)}{_meant(str(tag), str(known))}"
        case {"loc": [_, _, *path], "msg": said, **more}:
            reason = cut(str(said).removeprefix("Value error, "))
            value = more.get("input")
            given = "" if isinstance(value, dict | list) else f", got {shown(value)}"
            return f"{dotted((place, *path))}: {reason}{given}"
    return f"{place}: {cut(problem)}"


def _meant(unknown: str, known: str) -> str:
    close = get_close_matches(unknown, re.findall(r"'([^']+)'", known), n=2, cutoff=TYPING_MISTAKE)
    if close:
        return f"; did you mean {' or '.join(repr(name) for name in close)}?"
    return "; check its name, or install the custom node that brings it"


def failure(item: Mapping[str, Any]) -> AgentError:
    """Why a failed queue item failed: by which node, with InvokeAI's error, and the end of the traceback where that
    says more."""
    said = ": ".join(text for text in (item.get("error_type"), item.get("error_message")) if text) or "no reason given"
    last = str(item.get("error_traceback", "")).strip().rpartition("\n")[2].strip()
    reason = cut(said) if last in said or said in last else f"{cut(said)} (the traceback ends with: {cut(last)})"
    text = f"{_failed_node(item['session'])} failed: {reason}"
    if is_out_of_memory(said):
        hint = "; if it comes again, ask for a smaller image"
        return RuntimeFault("out-of-memory", text + hint)
    if is_broken(said):
        return RuntimeFault("runtime-broken", text, broken=True)
    return PermanentError("node-failed", text)


def _failed_node(session: Mapping[str, Any]) -> str:
    sources = session["prepared_source_mapping"]
    node_id = next((sources.get(prepared_id, prepared_id) for prepared_id in session["errors"]), None)
    if node_id is None:
        return "the graph"
    return f"node {node_id} ({session['graph']['nodes'].get(node_id, {}).get('type', '?')})"


def dotted(path: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in path)


def cut(value: object) -> str:
    return one_line(str(value), LONGEST_TEXT) or type(value).__name__
