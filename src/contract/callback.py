"""The callback: what the output topic says of a task that ended."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Status(StrEnum):
    """``running`` is only sent where the agent is told to (it is not terminal)."""

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

    ``result`` is None while the task runs; ``output_url`` is None when not even the failure could be stored.
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
