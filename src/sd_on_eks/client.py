"""The client for ordinary, synchronous programs."""

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from pydantic import PrivateAttr

from sd_on_eks.config import Config
from sd_on_eks.jobs import Job, JobOptions, numbered
from sd_on_eks.listing import Filter, Place
from sd_on_eks.mapping import CONCURRENCY, pulled, run_all
from sd_on_eks.models import OutputFields, Runtime, Status, TaskFields
from sd_on_eks.protocol import Protocol, Watch
from sd_on_eks.timings import WAIT_SECONDS, Timings
from sd_on_eks.transport import AsyncTransport, Transport
from sd_on_eks.wire import Flow

T = TypeVar("T")


class Client:
    """Calls the task API of one platform. Safe to use from many threads; close it, or use it in ``with``.

    ``endpoint`` and ``api_key`` come from SDONEKS_ENDPOINT and SDONEKS_API_KEY where they are not given, and else from
    the file that ``sdoneks config set`` writes. Raises ConfigError without them.

    Every request is repeated after failures that may pass. Nothing runs twice for it: a task has its id before it is
    sent for the first time.
    """

    def __init__(
        self, endpoint: str | None = None, api_key: str | None = None, *, timings: Timings | None = None
    ) -> None:
        self._timings = timings or Timings()
        self._transport = Transport(self._timings)
        self._protocol = Protocol(Config.of(endpoint, api_key), self._timings, self._read)

    def run(self, job: Job, *, timeout: float = WAIT_SECONDS, **options: Unpack[JobOptions]) -> tuple["Output", ...]:
        """Submit ``job``, wait for its end, and return what it made.

        With an id of yours, a repeated call gets the same task, as when a script is started again. Raises
        TaskFailed, TaskCanceled and TaskExpired, and WaitTimeout after ``timeout`` seconds; the task goes on then.
        """
        return self._do(self._protocol.run(job.having(**options).named(), timeout)).checked().outputs

    def submit(self, job: Job, **options: Unpack[JobOptions]) -> "Task":
        """Submit ``job`` and return its task at once."""
        return self._do(self._protocol.submit(job.having(**options).named()))

    def map(
        self,
        jobs: Iterable[Job],
        *,
        concurrency: int = CONCURRENCY,
        name: str | None = None,
        timeout: float = WAIT_SECONDS,
        **options: Unpack[JobOptions],
    ) -> Iterator["Task"]:
        """Run many jobs, ``concurrency`` at a time, and yield each task when it has ended, in the order of the jobs.

        A task that failed is yielded too: see ``task.status``. With ``name`` the tasks have the ids ``{name}-00001``
        and so on: a script that is started again goes on where it was, and runs nothing twice.
        """
        flows = (self._protocol.run(job, timeout) for job in numbered(jobs, name, options))

        async def results() -> AsyncGenerator[Task, None]:
            transport = AsyncTransport(self._timings)
            try:
                async for task in run_all(transport, flows, concurrency):
                    yield task
            finally:
                await transport.close()

        return pulled(results)

    def task(self, task_id: str) -> "Task":
        """The task of that id. Raises NotFound."""
        return self._do(self._protocol.read(task_id))

    def tasks(
        self,
        *,
        status: Status | str | None = None,
        runtime: str | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> Iterator["Task"]:
        """The key's tasks, the newest first; pages are read as they are needed."""
        place = Place(Filter(status, runtime, labels or {}, limit))
        while not place.end:
            tasks, place = self._do(self._protocol.page(place))
            yield from tasks

    def upload(self, file: str | Path | bytes, *, name: str | None = None) -> str:
        """Store a file, of 32 MiB at most, for tasks to read; its ``s3://`` link. It is deleted after some days."""
        return self._do(self._protocol.upload(Path(file) if isinstance(file, str) else file, name))

    def runtimes(self) -> list[Runtime]:
        """The runtimes that the key may use, and how long a task would wait there now."""
        return self._do(self._protocol.runtimes())

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, flow: Flow[T]) -> T:
        return self._transport.run(flow)

    def _read(self, found: Mapping[str, Any], tag: str) -> "Task":
        return Task.model_validate(found, context=Origin(self._transport, self._protocol, tag, str(found.get("id"))))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a task comes from: pydantic hands it to the task and to its outputs when it makes them."""

    transport: Transport
    protocol: "Protocol[Task]"
    tag: str
    task_id: str


class Output(OutputFields):
    """A file that a task made."""

    _origin: Origin = PrivateAttr()

    def bytes(self) -> bytes:
        """The file's content. Raises NotFound when it has been deleted."""
        origin = self._origin
        return origin.transport.run(origin.protocol.download(origin.task_id, self))

    def save(self, path: str | Path) -> Path:
        """Write the file to ``path``, or into the folder ``path`` under its own name; where it is. The file is there
        whole or not at all."""
        origin = self._origin
        return origin.transport.run(origin.protocol.save(origin.task_id, self, Path(path)))

    def model_post_init(self, context: Any) -> None:
        self._origin = context


class Task(TaskFields):
    """A task as it was when it was read. Its methods return what it is later."""

    outputs: tuple[Output, ...] = ()
    _origin: Origin = PrivateAttr()

    def wait(self, timeout: float = WAIT_SECONDS) -> "Task":
        """The task when it has ended, whatever its end. Raises WaitTimeout after ``timeout`` seconds."""
        return self._origin.transport.run(self._origin.protocol.wait(self, timeout))

    def events(self, timeout: float = WAIT_SECONDS) -> Iterator["Task"]:
        """The task each time that it has changed, until it has ended. Raises WaitTimeout after ``timeout`` seconds."""
        watch = Watch.begin(self, self._origin.tag, timeout)
        while not watch.task.status.ended:
            watch = self._origin.transport.run(self._origin.protocol.change(watch))
            yield watch.task

    def cancel(self) -> "Task":
        """Stop the task: at once while it waits, within seconds while it runs. It may still end in another way."""
        return self._origin.transport.run(self._origin.protocol.cancel(self.id))

    def model_post_init(self, context: Any) -> None:
        self._origin = context
