"""The client for programs on asyncio: the verbs of Client, to be awaited."""

# ruff: noqa: ASYNC109 - a time limit here also ends the requests that the API holds, and says which task goes on

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from pydantic import PrivateAttr

from sd_on_eks.config import Config
from sd_on_eks.jobs import Job, JobOptions, numbered
from sd_on_eks.listing import Filter, Place
from sd_on_eks.mapping import CONCURRENCY, run_all
from sd_on_eks.models import OutputFields, Runtime, Status, TaskFields
from sd_on_eks.protocol import Protocol, Watch
from sd_on_eks.timings import WAIT_SECONDS, Timings
from sd_on_eks.transport import AsyncTransport


class AsyncClient:
    """Calls the task API of one platform; close it, or use it in ``async with``. See Client for its arguments."""

    def __init__(
        self, endpoint: str | None = None, api_key: str | None = None, *, timings: Timings | None = None
    ) -> None:
        times = timings or Timings()
        self._transport = AsyncTransport(times)
        self._protocol = Protocol(Config.of(endpoint, api_key), times, self._read)

    async def run(
        self, job: Job, *, timeout: float = WAIT_SECONDS, **options: Unpack[JobOptions]
    ) -> tuple["AsyncOutput", ...]:
        """As Client.run."""
        task = await self._transport.run(self._protocol.run(job.having(**options).named(), timeout))
        return task.checked().outputs

    async def submit(self, job: Job, **options: Unpack[JobOptions]) -> "AsyncTask":
        """As Client.submit."""
        return await self._transport.run(self._protocol.submit(job.having(**options).named()))

    async def map(
        self,
        jobs: Iterable[Job],
        *,
        concurrency: int = CONCURRENCY,
        name: str | None = None,
        timeout: float = WAIT_SECONDS,
        **options: Unpack[JobOptions],
    ) -> AsyncIterator["AsyncTask"]:
        """As Client.map."""
        flows = (self._protocol.run(job, timeout) for job in numbered(jobs, name, options))
        async for task in run_all(self._transport, flows, concurrency):
            yield task

    async def task(self, task_id: str) -> "AsyncTask":
        """As Client.task."""
        return await self._transport.run(self._protocol.read(task_id))

    async def tasks(
        self,
        *,
        status: Status | str | None = None,
        runtime: str | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> AsyncIterator["AsyncTask"]:
        """As Client.tasks."""
        place = Place(Filter(status, runtime, labels or {}, limit))
        while not place.end:
            tasks, place = await self._transport.run(self._protocol.page(place))
            for task in tasks:
                yield task

    async def upload(self, file: str | Path | bytes, *, name: str | None = None) -> str:
        """As Client.upload."""
        path = Path(file) if isinstance(file, str) else file
        return await self._transport.run(self._protocol.upload(path, name))

    async def runtimes(self) -> list[Runtime]:
        """As Client.runtimes."""
        return await self._transport.run(self._protocol.runtimes())

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _read(self, found: Mapping[str, Any], tag: str) -> "AsyncTask":
        origin = AsyncOrigin(self._transport, self._protocol, tag, str(found.get("id")))
        return AsyncTask.model_validate(found, context=origin)


@dataclass(frozen=True, slots=True)
class AsyncOrigin:
    """Where a task comes from: pydantic hands it to the task and to its outputs when it makes them."""

    transport: AsyncTransport
    protocol: "Protocol[AsyncTask]"
    tag: str
    task_id: str


class AsyncOutput(OutputFields):
    """A file that a task made."""

    _origin: AsyncOrigin = PrivateAttr()

    async def bytes(self) -> bytes:
        """As Output.bytes."""
        origin = self._origin
        return await origin.transport.run(origin.protocol.download(origin.task_id, self))

    async def save(self, path: str | Path) -> Path:
        """As Output.save."""
        origin = self._origin
        return await origin.transport.run(origin.protocol.save(origin.task_id, self, Path(path)))

    def model_post_init(self, context: Any) -> None:
        self._origin = context


class AsyncTask(TaskFields):
    """A task as it was when it was read. Its methods return what it is later."""

    outputs: tuple[AsyncOutput, ...] = ()
    _origin: AsyncOrigin = PrivateAttr()

    async def wait(self, timeout: float = WAIT_SECONDS) -> "AsyncTask":
        """As Task.wait."""
        return await self._origin.transport.run(self._origin.protocol.wait(self, timeout))

    async def events(self, timeout: float = WAIT_SECONDS) -> AsyncIterator["AsyncTask"]:
        """As Task.events."""
        watch = Watch.begin(self, self._origin.tag, timeout)
        while not watch.task.status.ended:
            watch = await self._origin.transport.run(self._origin.protocol.change(watch))
            yield watch.task

    async def cancel(self) -> "AsyncTask":
        """As Task.cancel."""
        return await self._origin.transport.run(self._origin.protocol.cancel(self.id))

    def model_post_init(self, context: Any) -> None:
        self._origin = context
