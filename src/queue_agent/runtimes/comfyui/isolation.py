"""Keeps tasks apart: no task names a file of another, and none is given one that another wrote."""

import re
import secrets
from collections.abc import Iterator
from typing import Any

from contract.comfyui import name_node
from contract.errors import shown
from queue_agent.errors import PermanentError
from queue_agent.runtimes.comfyui.workflow import Workflow

PREFIX_INPUT = "filename_prefix"
"""Where the core's saving nodes, and most others, take the beginning of their files' names."""

TOKEN_BYTES = 8
"""Of each run's random part: enough that nobody guesses another run's file name."""

_ANNOTATED = re.compile(r"\[(?:input|output|temp)\]\s*$")
"""How a loader is sent to another folder than the input one (``folder_paths.annotated_filepath``)."""

_PREFIXED = re.compile(rf"-[0-9a-f]{{{2 * TOKEN_BYTES}}}(?=_|\.|$)")

_ABSOLUTE = re.compile(r"(?:[A-Za-z]:)?[/\\](?:\S*|.*\.\w{1,5})")
_UPWARDS = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)")


def check_isolated(workflow: Workflow) -> None:
    """Raise PermanentError when an input names a file outside the input folder: a task may not read what others have
    saved, or what else is on the disk."""
    for node_id, node in workflow.items():
        for field, text in _texts(node["inputs"]):
            if reason := _outside(text):
                raise PermanentError(
                    "invalid-workflow",
                    f"{name_node(workflow, node_id)}, field {field}: {shown(text)} {reason}; link to the file "
                    "(https:// or s3://), or name one in ComfyUI's input folder",
                )


def add_prefixes(workflow: Workflow) -> None:
    """Give the files of every saving node a random part, in place.

    A name that no other run has cannot be overwritten by another run, found by one, or kept in ComfyUI's cache.
    A prefix that comes from another node stays as it is.
    """
    token = secrets.token_hex(TOKEN_BYTES)
    for node in workflow.values():
        prefix = node["inputs"].get(PREFIX_INPUT)
        if isinstance(prefix, str):
            node["inputs"][PREFIX_INPUT] = f"{prefix}-{token}"


def remove_prefixes(workflow: Workflow) -> None:
    """Undo ``add_prefixes``, in place."""
    for node in workflow.values():
        inputs = node.get("inputs") or {}
        if isinstance(inputs.get(PREFIX_INPUT), str):
            inputs[PREFIX_INPUT] = without_prefix(inputs[PREFIX_INPUT])


def has_prefix(filename: str) -> bool:
    """Whether a file has the random part of a run, so that no other run can come to need it."""
    return _PREFIXED.search(filename) is not None


def without_prefix(text: str) -> str:
    """A file's name or prefix as the caller gave it, without the run's random part."""
    return _PREFIXED.sub("", text)


def _texts(inputs: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every string of the inputs with the name of its input."""
    for field, value in inputs.items():
        open_values = [value]
        while open_values:
            current = open_values.pop()
            if isinstance(current, str):
                yield field, current
            elif isinstance(current, dict):
                open_values.extend(current.values())
            elif isinstance(current, list):
                open_values.extend(current)


def _outside(text: str) -> str | None:
    """Why the text names a file that a task may not read; None when it does not, or is no file's name."""
    if _ANNOTATED.search(text):
        return "names a file in a folder that all tasks share"
    if "\n" in text:
        return None
    if _ABSOLUTE.fullmatch(text):
        return "is an absolute path"
    return "leads out of its folder" if _UPWARDS.search(text) else None
