"""A dead-letter queue, and the queue that its letters came from."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from contract.trace import ATTRIBUTE
from contract.wire import (
    CLIENT_ATTRIBUTE,
    DEADLINE_ATTRIBUTE,
    WEBHOOK_ATTRIBUTE,
    UndecodableMessage,
    decode,
    message_group,
    text_attributes,
)

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

HOLD_SECONDS = 120
"""For how long a message that is looked at is hidden from others; it is given back at once when we are done."""

MESSAGES_AT_ONCE = 10
"""The most that SQS gives."""

POLL_SECONDS = 1

EMPTY_ANSWERS = 3
"""SQS asks a part of its servers, so that one empty answer says little."""

KEPT = (CLIENT_ATTRIBUTE, DEADLINE_ATTRIBUTE, WEBHOOK_ATTRIBUTE, ATTRIBUTE)
"""Message attributes with which a runtime's dead letter is sent again: it is another run of the task."""

MAX_LETTERS = 1000
"""Looked at in one call; a queue that holds more is shown in part."""


NOTES = frozenset({"reason", "receives"})
"""Attributes that a dead letter got as one."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter that this process holds. ``age`` in seconds; ``receives`` of the queue that it came from, when
    known; ``group``: the message group of its client."""

    message_id: str
    receipt: str
    body: str
    reason: str
    receives: str
    age: float
    task_id: str
    attributes: Mapping[str, str]
    group: str | None

    @classmethod
    def of(cls, message: "MessageTypeDef", now: float) -> "Letter":
        attributes = {
            name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()
        }
        sent = int(message.get("Attributes", {}).get("SentTimestamp", now * 1000)) / 1000
        return cls(
            message_id=message["MessageId"],
            receipt=message["ReceiptHandle"],
            body=message["Body"],
            reason=attributes.get("reason", "received too often; the agents that received it reported nothing"),
            receives=attributes.get("receives", "?"),
            age=max(0.0, now - sent),
            task_id=_task_id(message["Body"]),
            attributes=attributes,
            group=message.get("Attributes", {}).get("MessageGroupId"),
        )


class DeadLetters:
    """The dead-letter queue of one runtime or of the webhooks, and the queue that its letters came from.

    ``keep``: a redriven message has all attributes that the message had, and not only KEPT.
    """

    def __init__(self, client: "SQSClient", queue_url: str, dead_letter_url: str, *, keep: bool = False) -> None:
        self._keep = keep
        self._client = client
        self._queue_url = queue_url
        self._url = dead_letter_url

    @contextmanager
    def held(self) -> Iterator[list[Letter]]:
        """Every letter there is, at most MAX_LETTERS. What is neither redriven nor deleted is given back at the end."""
        letters: dict[str, Letter] = {}
        try:
            empty = 0
            while empty < EMPTY_ANSWERS and len(letters) < MAX_LETTERS:
                messages = self._receive()
                empty = 0 if messages else empty + 1
                letters |= {message["MessageId"]: Letter.of(message, time.time()) for message in messages}
            yield list(letters.values())
        finally:
            for letter in letters.values():
                self._release_upcoming(letter)

    def redrive(self, letter: Letter) -> None:
        """Send it to its queue, then delete it here: cut off in between, it would run twice, not never."""
        kept = {
            name: value
            for name, value in letter.attributes.items()
            if name in KEPT or (self._keep and name not in NOTES)
        }
        attributes, group = text_attributes(kept), message_group(letter.group)
        self._client.send_message(
            QueueUrl=self._queue_url, MessageBody=letter.body, MessageAttributes=attributes, **group
        )
        self.delete(letter)

    def delete(self, letter: Letter) -> None:
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)

    def _receive(self) -> "list[MessageTypeDef]":
        return self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=MESSAGES_AT_ONCE,
            VisibilityTimeout=HOLD_SECONDS,
            WaitTimeSeconds=POLL_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["MessageGroupId", "SentTimestamp"],
        ).get("Messages", [])

    def _release_upcoming(self, letter: Letter) -> None:
        try:
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=letter.receipt, VisibilityTimeout=0
            )
        except ClientError:
            return  # deleted, or given back by time


def _task_id(body: str) -> str:
    try:
        return decode(body).metadata.id
    except UndecodableMessage as error:
        return error.task_id or _event_task_id(body)


def _event_task_id(body: str) -> str:
    """A webhook's event names its task at the top."""
    try:
        value = json.loads(body)
    except ValueError:
        return "?"
    task_id = value.get("id") if isinstance(value, dict) else None
    return task_id if isinstance(task_id, str) else "?"
