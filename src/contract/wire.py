"""A task as SNS and SQS carry it: ``{"task": {"metadata": …, "content": …}}``.

A content too large for a message is stored in S3, and the message carries its URL instead (claim check):
``{"task": {"metadata": …, "content_url": "s3://…"}}``.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from contract.clients import DEFAULT_NAME
from contract.errors import ContractError, Problem, problems_of, shown
from contract.task import Metadata, Task, checked_context

MAX_MESSAGE_BYTES = 256 * 1024
"""SNS refuses more, attributes included (SQS alone would take 1 MiB)."""

ATTRIBUTE_ROOM = 4 * 1024
"""Kept free for message attributes and the trace header."""

MAX_BODY_BYTES = MAX_MESSAGE_BYTES - ATTRIBUTE_ROOM

REQUEST_ID_ATTRIBUTE = "request_id"
"""Message attribute: a UUID that the front door makes once for each request, so that all messages of the request are
one task."""

CLIENT_ATTRIBUTE = "client"
"""Message attribute: the name of the client whose task it is (``contract.clients``)."""

DEADLINE_ATTRIBUTE = "deadline"
"""Message attribute: epoch seconds after which the task expires; absent for a task without one."""

REPEAT_ATTRIBUTE = "repeat"
"""Message attribute, ``true`` on a message that is published again because nobody knows whether the first one was."""

REPEAT = "true"

WEBHOOK_ATTRIBUTE = "webhook"
"""Message attribute: the events that the task's webhook wants, separated by commas; absent without a webhook."""

MAX_READABLE_ID = 256
"""Characters of an id that breaks the rules and is still sent back to its sender; a message attribute must hold it."""

_CLIENT = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class UndecodableMessage(ContractError):
    """A queue message that is no task. Carries what could still be read, so that its sender can be notified.

    ``task_id`` may break the contract's rule, but it and ``context`` are such that a callback can carry them.
    """

    def __init__(self, problems: list[Problem], *, task_id: str | None, context: Any = None) -> None:
        super().__init__(problems)
        self.task_id = task_id
        self.context = context


@dataclass(frozen=True, slots=True)
class Order:
    """A decoded message: the metadata, and the content itself or the URL under which it is stored."""

    metadata: Metadata
    content: dict[str, Any] | None
    content_url: str | None


def encode_task(task: Task) -> str:
    """The message body. Raises ContractError when the content is not JSON (NaN, infinity, nested beyond reason)."""
    return _dump({"metadata": _metadata(task), "content": task.content})


def encode_reference(task: Task, content_url: str) -> str:
    """The message body of a task whose content is stored at ``content_url``."""
    return _dump({"metadata": _metadata(task), "content_url": content_url})


def encode_content(content: dict[str, Any]) -> str:
    """The content as it is put in S3. Raises ContractError as encode_task does."""
    return _json(content)


def fits(body: str) -> bool:
    """Whether SNS would carry the body."""
    return len(body.encode()) <= MAX_BODY_BYTES


def request_id_of(value: str) -> str | None:
    """The attribute's value if it is a UUID; anybody may publish anything, and object keys follow from it."""
    return value if _UUID.fullmatch(value) else None


def text_attributes(values: Mapping[str, str | None]) -> dict[str, Any]:
    """Message attributes of SNS and SQS, without those that have no value."""
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}


def message_group(name: str | None) -> dict[str, Any]:
    """Arguments that put a message into a group, for SNS's ``publish`` and for SQS's ``send_message``.

    While one group floods a queue that is not FIFO, SQS delivers the messages of the others first ("fair queues"). SNS
    passes the group on. None: no group.
    """
    return {"MessageGroupId": name} if name else {}


def client_of(value: str | None) -> str:
    """The attribute's value if it can be a client's name, else the default one: the keys of the task table follow from
    it."""
    return value if value and _CLIENT.fullmatch(value) else DEFAULT_NAME


def deadline_of(value: str) -> int | None:
    """The attribute's value in epoch seconds; None for what is no whole number of seconds."""
    return int(value) if _SECONDS.fullmatch(value) else None


def decode(body: str) -> Order:
    """Read a queue message, raw or in SNS's envelope (queues of older stacks). Raises UndecodableMessage."""
    value = _loaded(body)
    task = _task_in(value)
    if not isinstance(task, dict):
        raise UndecodableMessage([Problem("task", f"is required, got {shown(value)}")], task_id=None)
    raw = task.get("metadata")
    readable = raw if isinstance(raw, dict) else {}
    try:
        metadata = Metadata.model_validate(_known(raw))
    except ValidationError as error:
        raise UndecodableMessage(
            list(problems_of(error, ["task", "metadata"])),
            task_id=_readable_id(readable.get("id")),
            context=_readable_context(readable.get("context")),
        ) from error
    content, url = task.get("content"), task.get("content_url")
    if not isinstance(content, dict) and not isinstance(url, str):
        raise UndecodableMessage(
            [Problem("task.content", f"must be an object, got {shown(content)}")],
            task_id=metadata.id,
            context=metadata.context,
        )
    return Order(metadata, content if isinstance(content, dict) else None, url if isinstance(url, str) else None)


def _task_in(value: Any) -> Any:
    """``task``, or the whole message, as programs publish it that were written for the public guidance's topic."""
    if isinstance(value, dict) and "task" not in value and isinstance(value.get("metadata"), dict):
        return value
    return value.get("task") if isinstance(value, dict) else None


def _known(raw: Any) -> Any:
    """Without the fields that a newer front door may have added: agents are not rolled out in the same moment."""
    return (
        {name: value for name, value in raw.items() if name in Metadata.model_fields} if isinstance(raw, dict) else raw
    )


def _loaded(body: str) -> Any:
    try:
        value = json.loads(body)
        if isinstance(value, dict) and value.get("Type") == "Notification" and isinstance(value.get("Message"), str):
            value = json.loads(value["Message"])
    except (ValueError, RecursionError) as error:
        raise UndecodableMessage([Problem("", f"the message is not JSON: {error}")], task_id=None) from error
    return value


def _readable_id(value: Any) -> str | None:
    fits = isinstance(value, str) and 1 <= len(value) <= MAX_READABLE_ID and value.isprintable()
    return value if fits else None


def _readable_context(value: Any) -> Any:
    try:
        return checked_context(value)
    except ValueError:
        return None


def _metadata(task: Task) -> dict[str, Any]:
    return task.metadata.model_dump()


def _dump(task: dict[str, Any]) -> str:
    return _json({"task": task})


def _json(value: dict[str, Any]) -> str:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise ContractError([Problem("task.content", f"must be JSON: {error}")]) from error
