"""What the agent needs of a runtime, whichever it is. An adapter is one file that fulfils ``Runtime``."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

from contract.runtimes import TaskType

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a task's content: object keys and list indexes from the top."""


@dataclass(frozen=True, slots=True)
class File:
    """An input that a link of the task named, fetched. ``name`` is the link's last part, made safe, with extension."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Job:
    """One run. ``files`` holds what was fetched for the links that still stand at these paths of ``content``."""

    id: str
    tasktype: TaskType
    content: Mapping[str, Any]
    files: Mapping[Path, File] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Output:
    """One picture, video or sound of a run. ``read`` yields its bytes, in order, and may be called again.

    ``read`` raises RuntimeUnavailable when the runtime holds the bytes and is no longer there. ``extension``, without
    its dot, is what the runtime calls the file; it counts where the content itself does not tell.
    """

    read: Callable[[], AsyncIterator[bytes]]
    extension: str | None = None

    @classmethod
    def of(cls, data: bytes) -> Self:
        """An output that is in memory already."""

        async def read() -> AsyncIterator[bytes]:
            yield data

        return cls(read)


@dataclass(frozen=True, slots=True)
class Ran:
    """What really ran, as the runtime says. ``None`` and empty where it does not say."""

    runtime: str
    version: str | None = None
    model: str | None = None
    model_hash: str | None = None
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gave. ``answer`` takes the S3 places of ``outputs``, in order, and returns the runtime's full
    answer as JSON with these places where the pictures were."""

    outputs: Sequence[Output]
    answer: Callable[[Sequence[str]], dict[str, Any]]
    ran: Ran


class Runtime(Protocol):
    """A runtime beside the agent. Entered once, used for one job at a time, and closed on exit.

    No method retries a generation by itself: what is sent twice is paid twice.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def ready(self) -> bool:
        """Whether the runtime would take a job now. Answers within a few seconds and never raises."""
        ...

    async def run(self, job: Job) -> Result:
        """Run the job to its end; the caller limits the time.

        Raises PermanentError for what the job itself got wrong, RuntimeUnavailable and RuntimeFault for what
        another run may mend, Interrupted when the job was stopped by ``interrupt``.
        """
        ...

    async def interrupt(self) -> bool:
        """Stop the running job, and only this one. Returns whether the runtime was seen idle within its limit."""
        ...

    async def progress(self) -> float | None:
        """How far the running job is, 0..1; None when the runtime does not tell. Never raises."""
        ...
