"""Fetches what a task's links name, within the bytes and the time that one task may take."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

import filetype

from contract.address_guard import Network
from contract.links import MAX_LINKS, find_links, link_problem
from contract.metrics import FETCHED_BYTES
from queue_agent.concurrency import all_of, within
from queue_agent.errors import AgentError, AwsError, PermanentError
from queue_agent.inputs.http_source import HttpSource
from queue_agent.inputs.links import FlakyServer, file_name, in_s3, link_fault, link_unavailable, shown_link
from queue_agent.inputs.s3_source import S3Source
from queue_agent.runtimes.base import File, Path
from queue_agent.telemetry.tracing import Trace

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PARALLEL = 8
"""Links of one task fetched at a time."""

MAX_TASK_FACTOR = 4
"""All files of one task together may have this many times the bytes of one, a file that is named at several places of
the content counted at each: a runtime may receive it so often."""

TRIES = 3
"""How often a link's server is asked that cannot be reached or is in trouble: fetching changes nothing there."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What links may cost and reach. ``max_bytes`` is for one file, ``timeout`` (seconds) for all links of a task.

    ``names`` and ``networks`` are allowed although their addresses are not public. ``buckets`` may be read whole, the
    output bucket only below the folders that a task may read.
    """

    max_bytes: int
    timeout: float
    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    buckets: frozenset[str] = frozenset()
    output_bucket: str | None = None
    allow_loopback: bool = False
    """Whether ``names`` and ``networks`` may allow loopback addresses, too: on one machine everything is there."""
    retry_pause: float = 0.5
    """Seconds before a server is asked again; twice as long before the next attempt."""


class Budget:
    """What one task may still fetch, in bytes, and until when, in loop time."""

    def __init__(self, size: int, deadline: float) -> None:
        self.size = size
        self.deadline = deadline

    def take(self, size: int, link: str) -> None:
        self.size -= size
        if self.size < 0:
            raise link_fault(link, "all links of the task together are too large; send fewer or smaller files")

    @property
    def seconds(self) -> float:
        return self.deadline - asyncio.get_running_loop().time()


class Fetcher:
    """Entered once; ``fetch`` may be called for several tasks at a time."""

    def __init__(self, s3: "S3Client", limits: Limits) -> None:
        self._limits = limits
        self._s3 = S3Source(s3, limits.buckets, limits.output_bucket)
        self._http = HttpSource(names=limits.names, networks=limits.networks, allow_loopback=limits.allow_loopback)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()

    async def fetch(self, content: Mapping[str, Any], trace: Trace, *, readable: tuple[str, ...]) -> dict[Path, File]:
        """Everything the links of ``content`` name, by the link's path. Equal links are fetched once and are one file.

        ``readable``: the folders of the output bucket that the task may read. Each fetch is a stage of ``trace``.
        Raises PermanentError naming the link (without its query) and the cause, LinkUnavailable when its server is not
        reached, AwsError when S3 is down.
        """
        links = list(islice(find_links(content), MAX_LINKS + 1))
        if len(links) > MAX_LINKS:
            raise PermanentError("link", f"the task has more than {MAX_LINKS} links; a task may have {MAX_LINKS}")
        deadline = asyncio.get_running_loop().time() + self._limits.timeout
        budget = Budget(self._limits.max_bytes * MAX_TASK_FACTOR, deadline)
        gate = asyncio.Semaphore(PARALLEL)

        async def one(link: str, places: int) -> File:
            async with gate:
                with trace.span("fetch", link=shown_link(link)) as span:
                    file = _file(link, await self._data(link, readable, places, budget))
                    span.carry(FETCHED_BYTES, len(file.data))
                    return file

        async def in_time(link: str, places: int) -> File:
            try:
                return await within(budget.seconds, one(link, places))
            except TimeoutError as error:
                raise self._late(link) from error

        places = Counter(link for _, link in links)
        fetched = await all_of(in_time(link, number) for link, number in places.items())
        files = dict(zip(places, fetched, strict=True))
        return {path: files[link] for path, link in links}

    async def read_object(self, bucket: str, key: str) -> bytes:
        """An object of the platform's own. Raises PermanentError when it is not there, AwsError otherwise."""
        return b"".join([chunk async for chunk in self._s3.object(bucket, key, f"s3://{bucket}/{key}")])

    def _late(self, link: str) -> AgentError:
        late = f"the links of the task did not arrive within {self._limits.timeout:g} s"
        return AwsError(f"could not fetch {shown_link(link)}: {late}") if in_s3(link) else link_unavailable(link, late)

    async def _data(self, link: str, readable: tuple[str, ...], places: int, budget: Budget) -> bytes:
        problem = link_problem(link)
        if problem is not None:
            raise link_fault(link, problem)
        pause, tries = self._limits.retry_pause, 1
        while True:
            try:
                return await self._arrived(link, readable, places, budget)
            except FlakyServer as error:
                if tries == TRIES or budget.seconds < pause:
                    raise link_unavailable(link, str(error)) from error
            await asyncio.sleep(pause)
            pause, tries = pause * 2, tries + 1

    async def _arrived(self, link: str, readable: tuple[str, ...], places: int, budget: Budget) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            async with aclosing(self._chunks(link, readable)) as arriving:
                async for chunk in arriving:
                    size += len(chunk)
                    if size > self._limits.max_bytes:
                        raise link_fault(link, f"it is larger than {self._limits.max_bytes} bytes")
                    budget.take(len(chunk) * places, link)
                    chunks.append(chunk)
        except FlakyServer:
            budget.size += size * places
            raise
        if not chunks:
            raise link_fault(link, "it is empty")
        return b"".join(chunks)

    def _chunks(self, link: str, readable: tuple[str, ...]) -> AsyncGenerator[bytes, None]:
        return self._s3.linked(link, readable) if in_s3(link) else self._http.linked(link)


def _file(link: str, data: bytes) -> File:
    name = file_name(link)
    kind = filetype.guess(data)
    if kind is None:
        return File(name=name, media_type="application/octet-stream", data=data)
    stem = name.removesuffix(f".{kind.extension}")
    return File(name=f"{stem}.{kind.extension}", media_type=kind.mime, data=data)
