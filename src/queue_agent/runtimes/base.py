"""What the agent needs of a runtime, whichever it is. An adapter is one file that fulfils ``Runtime``."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

from contract import links
from contract.runtimes import TaskType

Path: TypeAlias = links.Path


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
    """One image, video or sound of a run. ``read`` yields its bytes, in order, and may be called again.

    ``read`` raises RuntimeUnavailable when the runtime holds the bytes and is no longer there. ``extension``, without
    its dot, is what the runtime calls the file; it counts where the content itself does not tell.
    """

    read: Callable[[], AsyncIterator[bytes]]
    extension: str | None = None

    @classmethod
    def of(cls, data: bytes, extension: str | None = None) -> Self:
        """An output that is in memory already."""

        async def read() -> AsyncIterator[bytes]:
            yield data

        return cls(read, extension)


@dataclass(frozen=True, slots=True)
class Ran:
    """What really ran, as the runtime says. ``None`` and empty where it does not say."""

    runtime: str
    version: str | None = None
    model: str | None = None
    model_hash: str | None = None
    seeds: tuple[int, ...] = ()


async def _keep() -> None:
    """The runtime holds nothing of the outputs."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gave. ``answer`` takes the S3 places of ``outputs``, in order, and returns the runtime's full
    answer as JSON with these places where the images were. ``discard`` removes the outputs from the runtime: call it
    once they are stored, or given up; it never raises, and the outputs cannot be read after it.
    ``additional`` of the outputs are none that the task asked for, such as grids; they do not count as images of it.
    ``held_bytes`` are in memory for as long as the result is."""

    outputs: Sequence[Output]
    answer: Callable[[Sequence[str]], dict[str, Any]]
    ran: Ran
    discard: Callable[[], Awaitable[None]] = _keep
    additional: int = 0
    held_bytes: int = 0


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """A job in the form that its runtime takes. ``request`` is the adapter's own, such as an encoded body."""

    job: Job
    request: Any = None


class RunMonitor:
    """What an adapter reports of one run while it lasts.

    ``begin`` starts the task's time: what a job waits behind somebody else's in the same runtime is not its own.
    ``wait`` notes that the job still waits there. ``accept`` names the job by the runtime's own id, with which a later
    process can ``adopt`` it.
    """

    def __init__(self, on_accept: Callable[[str], None] | None = None) -> None:
        self.begun = asyncio.Event()
        self.job_ref: str | None = None
        self._on_accept = on_accept
        self._since = time.monotonic()

    def accept(self, job_ref: str) -> None:
        """The runtime has the job, under this id."""
        self.job_ref = job_ref
        if self._on_accept is not None:
            self._on_accept(job_ref)

    def wait(self) -> None:
        """The runtime works for another client, and was seen to do so just now."""
        if not self.begun.is_set():
            self._since = time.monotonic()

    def begin(self) -> None:
        """The runtime works on the job now."""
        self.begun.set()

    @property
    def seconds(self) -> float:
        """How long the runtime has worked on the job: since the job was last seen to wait; 0 before the beginning.

        A runtime that is asked from time to time may end a short job before it is seen to begin with it, so the time
        is not counted from then.
        """
        return time.monotonic() - self._since if self.begun.is_set() else 0.0


class Runtime(Protocol):
    """A runtime beside the agent. Entered once, used for one job at a time, and closed on exit.

    No method retries a generation by itself: what is sent twice is paid twice.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def check_ready(self) -> None:
        """Return when the runtime would take a job now. Answers within a few seconds.

        Raises RuntimeFault that says why not (RuntimeBusy while it works for another client).
        """
        ...

    async def prepare(self, job: Job) -> PreparedJob:
        """Do what needs no runtime: check the content and encode the request. Runs while another job does.

        Raises PermanentError for what the job itself got wrong.
        """
        ...

    async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
        """Run the job to its end; the caller limits the time.

        Waits while the runtime works for another client, then sends the job; ``monitor`` learns of both.
        Raises PermanentError for what the job itself got wrong, RuntimeFault for what another run may solve,
        Interrupted when the job was stopped by ``interrupt``.
        """
        ...

    async def adopt(self, prepared: PreparedJob, job_ref: str, monitor: RunMonitor) -> Result | None:
        """Follow a job that an earlier process gave to the runtime, to its end; raises as ``run`` does.

        None when the runtime does not know the job any more, or cannot tell one job from another.
        """
        ...

    async def interrupt(self) -> bool:
        """Stop the running job, and only this one. Returns whether the runtime was seen idle within its limit."""
        ...

    async def progress(self) -> float | None:
        """How far the running job is, 0..1; None when the runtime does not tell. Never raises."""
        ...
