"""The callback: the message on the output topic about a task that began or ended."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Status(StrEnum):
    """``running`` is sent only where the agent has RUNNING_CALLBACKS on; it is not terminal."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Cause(BaseModel):
    """Why a task failed: ``type`` for programs, ``message`` for people (it says what to do)."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str


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
