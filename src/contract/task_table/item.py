"""A task's item. It holds neither prompts nor the caller's context: those are in the message and in the record."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from contract.callback import Cause
from contract.runtimes import TaskType
from contract.task_table.keys import created_id, task_key
from contract.task_table.values import from_values, to_values

MAX_MESSAGE_LENGTH = 1000
"""Characters of an error's message in an item: DynamoDB is paid by the kilobyte."""

MAX_OUTPUTS = 64
"""Outputs that an item names, so that it stays below 8 KB; the record in S3 names all."""


class State(StrEnum):
    """Where a task is. The words are those of the callback."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        return self not in ACTIVE


ACTIVE = (State.QUEUED, State.RUNNING)


SENDING, SENT = "sending", "sent"


class ItemModel(BaseModel):
    """A part of an item. What a newer version of the project has added to it is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Output(ItemModel):
    """An object in the output bucket. ``type`` is a media type; ``size`` is in bytes."""

    key: str
    type: str
    size: int


class Webhook(ItemModel):
    """Where a task's events are sent. ``state`` is pending, delivered or failed; ``tries`` counts the requests made."""

    url: str
    events: tuple[str, ...]
    state: str = "pending"
    tries: int = 0
    last_status: int | None = None


class Position(ItemModel):
    """Where a task was in its runtime's queue when it was sent: ``tasks`` were sent between ``since`` (epoch seconds)
    and itself, as far as the front door could tell. ``since`` is None where no pod had taken a message yet."""

    tasks: int
    since: float | None = None


class TaskItem(ItemModel):
    """Times of day are ISO 8601 in UTC with milliseconds, as ``timestamp`` writes them.

    ``request`` is the identity of the front door's request, which says of a message whether the item is its task's.
    ``deadline`` and ``ttl`` are epoch seconds. ``cancel`` is when somebody asked a running task to stop, ``retry``
    whether it waits for another run. ``record`` is the key of the record in S3. ``fingerprint`` is a hash of the body
    that made the task; None for the older routes, whose ids may be repeated. ``published`` is when the last request
    began to publish its message (epoch seconds, one more where two began in one second), 0 where nobody knows whether
    that was taken. ``republished`` is what a repeat has come to that published it, too: SENDING or SENT.
    """

    client: str
    id: str
    request: str
    status: State
    revision: int = 1
    runtime: str
    tasktype: TaskType
    prefix: str
    created: str
    started: str | None = None
    ended: str | None = None
    deadline: int | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    attempt: int = 0
    run: str | None = None
    progress: float | None = None
    beat: str | None = None
    cancel: str | None = None
    retry: bool = False
    outputs: tuple[Output, ...] = ()
    omitted_outputs: int = 0
    error: Cause | None = None
    retryable: bool = False
    gpu_seconds: float | None = None
    usd: float | None = None
    record: str | None = None
    webhook: Webhook | None = None
    fingerprint: str | None = None
    published: int | None = None
    republished: str | None = None
    position: Position | None = None
    ttl: int | None = None

    @property
    def key(self) -> dict[str, dict[str, str]]:
        return task_key(self.client, self.id)

    def to_values(self) -> dict[str, Any]:
        """The whole item, keys included."""
        values = {
            name: value
            for name, value in self.model_dump(mode="json").items()
            if value not in (None, False, [], {}) and (name, value) not in _DEFAULTS
        }
        return {**self.key, **to_values({**values, "created_id": created_id(self.created, self.id)})}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``to_values`` wrote. Raises pydantic's ValidationError for an item that is no task."""
        return cls.model_validate(from_values(values))


_DEFAULTS = (("attempt", 0), ("omitted_outputs", 0))


def timestamp(epoch_seconds: float) -> str:
    """``2026-01-31T12:00:00.000Z``: texts that sort as the times do."""
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
