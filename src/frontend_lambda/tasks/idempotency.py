"""Which request is another one's repeat: the same client, the same id, the same body."""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from contract.task_table.item import SENT, State, TaskItem
from frontend_lambda.body import part

_QUOTED = re.compile(r'"([^"\\]*)"')


def with_id(body: Any, key: str | None) -> Any:
    """The body with the task's id: its own, else ``key`` (the header Idempotency-Key), else a new one.

    A body that has no place for an id is returned as it is, for the checks to refuse it.
    """
    metadata = part(body, "task", "metadata")
    if not isinstance(metadata, dict) or "id" in metadata:
        return body
    made = {**metadata, "id": str(uuid.uuid4()) if key is None else unquoted(key)}
    return {**body, "task": {**body["task"], "metadata": made}}


def unquoted(key: str) -> str:
    """The key, which may be written as a string in quotes."""
    quoted = _QUOTED.fullmatch(key.strip())
    return quoted[1] if quoted else key.strip()


def fingerprint(body: Mapping[str, Any]) -> str:
    """A hash of all that the body asks for. The order of its keys does not matter."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def is_repeat(earlier: TaskItem, fingerprint: str) -> bool:
    """Whether the body that made the task ``earlier`` is the same."""
    return earlier.fingerprint == fingerprint


def is_published(item: TaskItem) -> bool:
    """Whether the message of ``item`` is known to be in the queue, or needed no more."""
    return item.status is not State.QUEUED or item.retry or item.published is None or item.republished == SENT


def may_publish(item: TaskItem, now: float, after: float) -> bool:
    """Whether a repeat is to publish the message: another one is not at it, or has begun ``after`` seconds ago."""
    return item.republished is None or not item.published or now - item.published >= after
