"""A prompt's history record: how it ended, and which files it left."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from queue_agent.errors import AgentError, RuntimeFault
from queue_agent.runtimes.comfyui.isolation import remove_prefixes, without_prefix
from queue_agent.runtimes.comfyui.refusals import failure
from queue_agent.runtimes.comfyui.workflow import Workflow, in_node_order

SECRETS = ("api_key_comfy_org", "auth_token_comfy_org")
"""Credentials for paid nodes that a task may carry in its extra_data, and older versions keep in the history."""

KEPT, TEMPORARY = "output", "temp"
"""Types of files: what was saved, and previews. A third, ``input``, is what the caller sent."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file on ComfyUI's disk, as an output entry names it and /view takes it."""

    filename: str
    subfolder: str
    type: str

    @property
    def extension(self) -> str | None:
        return PurePosixPath(self.filename).suffix.removeprefix(".").lower() or None


def ended_well(record: Mapping[str, Any]) -> bool:
    """Whether the prompt ran to its end."""
    return _status(record).get("status_str") == "success"


def ended_by_interrupt(record: Mapping[str, Any]) -> bool:
    """Whether somebody stopped it."""
    return _message(record, "execution_interrupted") is not None


def what_failed(workflow: Workflow, record: Mapping[str, Any]) -> AgentError:
    """Why a prompt that did not end well ended."""
    error = _message(record, "execution_error")
    if error is not None:
        return failure(workflow, error)
    return RuntimeFault(
        "unknown-end", "ComfyUI's history reports neither success nor an error; look into ComfyUI's own log"
    )


def stored_files(record: Mapping[str, Any]) -> list[Stored]:
    """The files of all nodes, by node number, then as the node lists them; each once. Previews only where nothing was
    saved."""
    found = list(dict.fromkeys(stored for stored, _ in _entries(record)))
    kept = [stored for stored in found if stored.type == KEPT]
    return kept or [stored for stored in found if stored.type == TEMPORARY]


def cached_files(record: Mapping[str, Any]) -> set[Stored]:
    """The files of nodes that did not run because ComfyUI had kept their results: they may be gone by now."""
    event = _message(record, "execution_cached") or {}
    nodes = {str(node) for node in event.get("nodes") or ()}
    outputs = {node: found for node, found in (record.get("outputs") or {}).items() if node in nodes}
    return {stored for stored, _ in _entries({"outputs": outputs})}


def with_places(record: Mapping[str, Any], keys: Mapping[Stored, str]) -> dict[str, Any]:
    """The record as it may be kept: every file entry also names its place in S3 as ``url``, names of files are as the
    caller asked for them, and there are no credentials."""
    copy = deepcopy(dict(record))
    for stored, entry in _entries(copy):
        if stored in keys:
            entry["url"] = keys[stored]
        entry["filename"] = without_prefix(stored.filename)
    remove_prefixes(_workflow(copy))
    for part in copy.get("prompt") or ():
        if isinstance(part, dict):
            for secret in SECRETS:
                part.pop(secret, None)
    return copy


def _entries(record: Mapping[str, Any]) -> Iterator[tuple[Stored, dict[str, Any]]]:
    outputs = record.get("outputs") or {}
    for node_id in sorted(outputs, key=in_node_order):
        for entries in outputs[node_id].values():
            for entry in entries if isinstance(entries, Sequence) else ():
                if isinstance(entry, dict) and isinstance(entry.get("filename"), str):
                    yield (
                        Stored(entry["filename"], str(entry.get("subfolder") or ""), str(entry.get("type") or KEPT)),
                        entry,
                    )


def _workflow(record: Mapping[str, Any]) -> Workflow:
    """The prompt of a record, which is ``[number, prompt id, workflow, extra_data, outputs]``; empty where there is
    none."""
    match record.get("prompt"):
        case [_, _, dict() as workflow, *_]:
            return workflow
    return {}


def _status(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return record.get("status") or {}


def _message(record: Mapping[str, Any], event: str) -> Mapping[str, Any] | None:
    for name, data in reversed(_status(record).get("messages") or ()):
        if name == event and isinstance(data, dict):
            return data
    return None
