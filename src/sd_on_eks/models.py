"""What the API answers, typed. Fields that a newer platform adds are left out; ``extra`` ones never fail."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from sd_on_eks.errors import ending_error


class Status(StrEnum):
    """Where a task is."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        """Whether the task will not change any more."""
        return self not in {Status.QUEUED, Status.RUNNING}


class Model(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Queued(Model):
    """Why a task waits: ``turn``, ``pod`` or ``retry``. Estimates: tasks ahead of it, and seconds until its run."""

    waiting_for: str
    ahead: int | None = None
    start_in: float | None = None


class Progress(Model):
    """``value`` is 0 to 1."""

    value: float
    updated: datetime | None = None


class Cause(Model):
    """Why a task failed. ``retryable`` says whether another try may help."""

    type: str
    message: str
    retryable: bool = False


class Usage(Model):
    """``usd`` is an estimate of what the GPU's seconds cost; None where no price is known."""

    gpu_seconds: float
    usd: float | None = None


class WebhookState(Model):
    """``state`` is pending, delivered or failed; ``tries`` counts the requests."""

    state: str
    tries: int = 0
    last_status: int | None = None


class Urls(Model):
    """``record`` is the ``s3://`` link of the result's record; None until there is one."""

    own: str = Field(alias="self")
    cancel: str
    record: str | None = None


class OutputFields(Model):
    """A file that a task made. ``size`` is in bytes, ``type`` a media type. ``url`` opens without a key until
    ``url_expires``; it is None where the task came from a list."""

    n: int
    type: str
    size: int = Field(alias="bytes")
    s3: str
    url: str | None = None
    url_expires: datetime | None = None

    @property
    def name(self) -> str:
        """The file's name in the bucket."""
        return self.s3.rpartition("/")[2]


class TaskFields(Model):
    """A task as one answer showed it. It does not change; ask for the task again to see what became of it."""

    id: str
    status: Status
    revision: int
    runtime: str
    tasktype: str
    labels: dict[str, str] = {}
    attempt: int = 0
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    deadline: datetime | None = None
    expires: datetime | None = None
    cancel_requested: datetime | None = None
    queue: Queued | None = None
    progress: Progress | None = None
    outputs_omitted: int = 0
    error: Cause | None = None
    usage: Usage | None = None
    webhook: WebhookState | None = None
    urls: Urls

    @property
    def completed(self) -> bool:
        return self.status is Status.COMPLETED

    def checked(self) -> Self:
        """The task itself. Raises TaskFailed, TaskCanceled or TaskExpired when it ended without being completed."""
        if self.status.ended and not self.completed:
            raise ending_error(self)
        return self


class TaskSnapshot(TaskFields):
    """A task by itself, without the client that could follow it: as in a webhook."""

    outputs: tuple[OutputFields, ...] = ()


class TaskCounts(Model):
    """Tasks that wait, and tasks that pods have taken."""

    waiting: int
    taken: int


class Pods(Model):
    """Pods that run tasks, and pods that are on their way."""

    ready: int
    starting: int


class Runtime(Model):
    """A runtime that the key may use. ``start_in`` is when a task would begin that is sent now, in seconds; estimates
    are None where there is no basis for one."""

    name: str
    type: str
    tasktypes: tuple[str, ...]
    model: str | None = None
    dynamic_model: bool = False
    tasks: TaskCounts | None = None
    pods: Pods
    mean_seconds: float | None = None
    start_in: float | None = None


class UploadPlace(Model):
    """Where to put a file, and the link by which tasks name it."""

    s3: str
    method: str
    url: str
    headers: dict[str, str]
