"""The callback: the message on the output topic about a task that began or ended."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

GAVE_UP = "gave-up"
"""Type of the cause of a task that is given up; its message is kept as a dead letter."""

LINK_UNAVAILABLE = "link-unavailable"
"""Type of the cause of a task whose link's server could not be reached."""

RETRYABLE = frozenset({GAVE_UP, LINK_UNAVAILABLE})
"""Causes that may have passed when the same task is sent again: what the platform or a server of somebody else did. All
other failures are the task's own, and come again."""


class Status(StrEnum):
    """``running`` is sent only where the agent has RUNNING_CALLBACKS on; it is not terminal. ``canceled`` and
    ``expired`` are those of tasks that were sent to the task API."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


class Cause(BaseModel):
    """Why a task failed: ``type`` for programs, ``message`` for people (it says what to do)."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str

    @property
    def retryable(self) -> bool:
        """Whether sending the same task again may help."""
        return self.type in RETRYABLE


class Callback(BaseModel):
    """The message on the output topic. The first five keys are the guide's.

    ``result`` is None while the task runs; ``output_url`` is None while it runs and for a message that is no task.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    result: bool | None
    image_url: tuple[str, ...] = ()
    output_url: str | None = None
    context: Any = None
    runtime: str
    status: Status
    error: Cause | None = None

    @property
    def attributes(self) -> dict[str, str]:
        """Message attributes, so that subscribers can filter."""
        return {"id": self.id, "runtime": self.runtime, "status": self.status.value}
