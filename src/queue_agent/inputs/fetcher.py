"""Fetches what a task's links name, through one guarded client. Links come from strangers.

A link may reach public addresses only, unless the settings allow its host; redirects are followed by hand so that each
hop is judged anew.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import filetype
from botocore.exceptions import ClientError
from yarl import URL

from contract.links import find_links
from contract.metrics import FETCHED_BYTES
from contract.object_keys import RESERVED_PREFIX
from queue_agent.aws.clients import aws_errors, code_of
from queue_agent.errors import AgentError, AwsError, PermanentError
from queue_agent.inputs.address_guard import ForbiddenAddress, SocketFactory, guarded
from queue_agent.inputs.links import shown_link
from queue_agent.runtimes.base import File, Path
from queue_agent.settings import Network
from queue_agent.telemetry.tracing import Trace

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

MAX_REDIRECTS = 5
"""Shorteners and CDNs take one to three hops."""

PARALLEL = 8
"""Links of one task fetched at a time."""

MAX_TASK_FACTOR = 4
"""All files of one task together may hold and take this many times the limit of one, so that many links neither fill
memory nor keep other tasks waiting."""

TRIES = 2
"""A link whose server answers 5xx or hangs up is asked once more: fetching costs nothing and changes nothing."""

CHUNK_BYTES = 256 * 1024

MAX_NAME = 64
"""Characters of a file's name, extension aside: enough to recognise it in a runtime's folder."""

USER_AGENT = "sd-on-eks-queue-agent"
NO_URL = "it is not a valid URL"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
FOREIGN_CODES = frozenset(
    {
        "NoSuchKey",
        "NoSuchBucket",
        "404",
        "403",
        "AccessDenied",
        "InvalidObjectState",
        "InvalidRequest",
        "KeyTooLongError",
        "PermanentRedirect",
    }
)
"""What S3 says of an object that the task should not have named."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a link may cost and reach. ``names`` and ``networks`` are allowed although they are not public."""

    max_bytes: int
    timeout: float
    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    buckets: frozenset[str] = frozenset()


class Budget:
    """Bytes that one task may still fetch."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, size: int, link: str) -> None:
        self.left -= size
        if self.left < 0:
            raise _link_fault(link, "all links of the task together are too large; send fewer or smaller files")


class Fetcher:
    """Entered once; ``fetch`` is called a task at a time or more."""

    def __init__(self, s3: "S3Client", limits: Limits) -> None:
        self._s3 = s3
        self._limits = limits
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._guarded = await self._session(guarded(self._limits.networks))
        self._trusted = await self._session(None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def fetch(self, content: Mapping[str, Any], trace: Trace) -> dict[Path, File]:
        """Everything the links of ``content`` name, by the link's path. A link that stands twice is fetched once.
        Each fetch is a stage of ``trace``.

        Raises PermanentError naming the link (without its query) and the cause, AwsError when S3 is down.
        """
        links = list(find_links(content))
        budget = Budget(self._limits.max_bytes * MAX_TASK_FACTOR)
        gate = asyncio.Semaphore(PARALLEL)

        async def one(link: str) -> File:
            async with gate:
                with trace.span("fetch", link=shown_link(link)) as span:
                    file = await self._file(link, budget)
                    span.carry(FETCHED_BYTES, len(file.data))
                    return file

        distinct = list(dict.fromkeys(link for _, link in links))
        seconds = self._limits.timeout * MAX_TASK_FACTOR
        tasks = [asyncio.create_task(one(link)) for link in distinct]
        try:
            async with asyncio.timeout(seconds):
                files = dict(zip(distinct, await asyncio.gather(*tasks), strict=True))
        except TimeoutError as error:
            late = f"the links of the task did not arrive within {seconds:g} s together; send fewer"
            raise PermanentError("link", late) from error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return {path: files[link] for path, link in links}

    async def read_object(self, bucket: str, key: str) -> bytes:
        """An object of the platform's own. Raises PermanentError when it is not there, AwsError otherwise."""
        return b"".join([chunk async for chunk in self._object(bucket, key, f"s3://{bucket}/{key}")])

    async def _file(self, link: str, budget: Budget) -> File:
        try:
            async with asyncio.timeout(self._limits.timeout):
                data = await self._data(link, budget)
        except TimeoutError as error:
            late = f"it did not arrive within {self._limits.timeout:g} s"
            if _in_s3(link):
                raise AwsError(f"could not fetch {shown_link(link)}: {late}") from error
            raise _link_fault(link, late) from error
        if not data:
            raise _link_fault(link, "it is empty")
        kind = filetype.guess(data)
        name = _safe_name(link)
        if kind is None:
            return File(name=name, media_type="application/octet-stream", data=data)
        stem = name.removesuffix(f".{kind.extension}")
        return File(name=f"{stem}.{kind.extension}", media_type=kind.mime, data=data)

    async def _data(self, link: str, budget: Budget) -> bytes:
        tries = 1
        while True:
            try:
                return await self._arrived(link, budget)
            except _Flaky as error:
                if tries == TRIES:
                    raise _link_fault(link, str(error)) from error
            tries += 1

    async def _arrived(self, link: str, budget: Budget) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            async with aclosing(self._chunks(link)) as arriving:
                async for chunk in arriving:
                    size += len(chunk)
                    if size > self._limits.max_bytes:
                        raise _link_fault(link, f"it is larger than {self._limits.max_bytes} bytes")
                    budget.take(len(chunk), link)
                    chunks.append(chunk)
        except _Flaky:
            budget.left += size
            raise
        return b"".join(chunks)

    def _chunks(self, link: str) -> AsyncGenerator[bytes, None]:
        if not _in_s3(link):
            return self._http(link)
        bucket, _, key = link[5:].partition("/")
        if bucket not in self._limits.buckets:
            allowed = ", ".join(sorted(self._limits.buckets))
            raise _link_fault(link, f"bucket {bucket!r} is not among the input buckets: {allowed}")
        parts = key.split("/")
        if not key or parts[0] == RESERVED_PREFIX or not {".", ".."}.isdisjoint(parts):
            raise _link_fault(link, "it names no object that a task may read")
        return self._object(bucket, key, link)

    async def _object(self, bucket: str, key: str, link: str) -> AsyncGenerator[bytes, None]:
        with aws_errors(f"read {shown_link(link)}"):
            try:
                answer = await self._s3.get_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if code_of(error) in FOREIGN_CODES:
                    raise _link_fault(link, f"S3 says {code_of(error)}") from error
                raise
            async with answer["Body"] as body:
                while chunk := await body.read(CHUNK_BYTES):
                    yield chunk

    async def _http(self, link: str) -> AsyncGenerator[bytes, None]:
        try:
            url = URL(link)
        except ValueError as error:
            raise _link_fault(link, NO_URL) from error
        for _ in range(MAX_REDIRECTS + 1):
            async with self._request(url, link) as answer:
                if answer.status in REDIRECTS and "Location" in answer.headers:
                    url = _followed(url, answer.headers["Location"], link)
                    continue
                if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise _Flaky(f"its server answered {answer.status}")
                if answer.status != HTTPStatus.OK:
                    raise _link_fault(link, f"its server answered {answer.status}")
                async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                    yield chunk
                return
        raise _link_fault(link, f"it redirects more than {MAX_REDIRECTS} times")

    @asynccontextmanager
    async def _request(self, url: URL, link: str) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            session = self._trusted if (url.host or "").lower() in self._limits.names else self._guarded
            async with session.get(url, allow_redirects=False) as answer:
                yield answer
        except (aiohttp.InvalidURL, UnicodeError) as error:
            raise _link_fault(link, NO_URL) from error
        except aiohttp.ClientError as error:
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ForbiddenAddress):
                raise _link_fault(
                    link, "its address is not public; allow it in the configuration (allowedLinkHosts) if it should be"
                ) from error
            raise _Flaky(_said(error)) from error

    async def _session(self, socket_factory: SocketFactory | None) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=PARALLEL * 2, socket_factory=socket_factory)
        return await self._stack.enter_async_context(
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": USER_AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        )


class _Flaky(Exception):
    """Worth one more try."""


def _said(error: aiohttp.ClientError) -> str:
    """In one line, and without the URL that some errors name, since its query may hold secrets."""
    text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return " ".join([f"{type(error).__name__}:", *text.split()]).removesuffix(":")


def _followed(url: URL, location: str, link: str) -> URL:
    try:
        target = url.join(URL(location))
    except ValueError as error:
        raise _link_fault(link, "it redirects to something that is not a URL") from error
    if target.scheme not in {"http", "https"}:
        raise _link_fault(link, f"it redirects to {target.scheme}:, which is not followed")
    return target


def _in_s3(link: str) -> bool:
    return link[:5].lower() == "s3://"


def _link_fault(link: str, why: str) -> AgentError:
    return PermanentError("link", f"could not fetch {shown_link(link)}: {why}")


def _safe_name(link: str) -> str:
    last = PurePosixPath(shown_link(link).partition("://")[2]).name
    safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in last)
    return safe[-MAX_NAME:].strip(".") or "input"
