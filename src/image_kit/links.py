"""Fetching what ``url`` names, through guarded connections: anybody may have chosen the link.

It reaches public addresses only, unless the settings allow its host, and each redirect is judged on its own. Objects of
S3 are read from the buckets that the settings name.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_network
from typing import TYPE_CHECKING, Self

import aiohttp
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError
from yarl import URL

from contract.address_guard import ForbiddenAddress, Network, guarded
from contract.errors import truncate
from contract.image_kit import URL as URL_FIELD
from contract.links import link_problem
from image_kit.errors import BadLink, KitError, LinkUnavailable

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

MAX_REDIRECTS = 5
"""Shorteners and CDNs take one to three hops."""

SCHEMES = frozenset({"http", "https"})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
CHUNK_BYTES = 256 * 1024
S3_SCHEME = "s3"
MAX_SHOWN = 300
"""Characters of a link that an error shows."""

FOREIGN = frozenset({"NoSuchKey", "NoSuchBucket", "404", "403", "AccessDenied"})
"""What S3 says of an object that the request should not have named."""

EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class Reach:
    """What links may reach and cost. ``names`` and ``networks`` are allowed although their addresses are not public;
    ``buckets`` may be read; ``seconds`` for a whole link."""

    max_bytes: int
    seconds: float = 20.0
    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    buckets: frozenset[str] = frozenset()
    allow_loopback: bool = False


class Links:
    """Entered once, used by many requests at a time, and closed on exit."""

    def __init__(self, reach: Reach, region: str | None = None) -> None:
        self._reach = reach
        self._region = region
        self._stack = AsyncExitStack()
        self._s3: S3Client | None = None

    async def __aenter__(self) -> Self:
        self._guarded = await self._session(self._reach.networks)
        self._trusted = await self._session(EVERYWHERE)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def fetch(self, link: str) -> bytes:
        """The link's file. Raises BadLink for what the link or its answer proves, LinkUnavailable otherwise."""
        if problem := link_problem(link):
            raise _bad(link, problem)
        task = asyncio.create_task(self._whole(link))
        try:
            await asyncio.wait({task}, timeout=self._reach.seconds)
            if task.done():
                return task.result()
            raise _unavailable(link, f"it did not arrive within {self._reach.seconds:g} s")
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _whole(self, link: str) -> bytes:
        data = bytearray()
        chunks = self._object(link) if link[:3].lower() == f"{S3_SCHEME}:" else self._file(link)
        async for chunk in chunks:
            data += chunk
            if len(data) > self._reach.max_bytes:
                raise _bad(link, f"it is larger than {self._reach.max_bytes} bytes")
        return bytes(data)

    async def _file(self, link: str) -> AsyncIterator[bytes]:
        try:
            url = URL(link)
            for _ in range(MAX_REDIRECTS + 1):
                if url.scheme not in SCHEMES:
                    raise _bad(link, f"it redirects to {url.scheme}:, which is not followed")
                session = self._trusted if (url.host or "").lower() in self._reach.names else self._guarded
                async with session.get(url, allow_redirects=False) as response:
                    if response.status in REDIRECTS and "Location" in response.headers:
                        url = url.join(URL(response.headers["Location"]))
                        continue
                    _check(link, response.status)
                    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                        yield chunk
                    return
        except (aiohttp.InvalidURL, ValueError) as error:
            raise _bad(link, "it is not a valid URL, or redirects to none") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ForbiddenAddress):
                raise _bad(link, "its address is not public") from error
            raise _unavailable(link, f"its server cannot be reached: {error.os_error}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _unavailable(link, type(error).__name__) from error
        raise _bad(link, f"it redirects more than {MAX_REDIRECTS} times")

    async def _object(self, link: str) -> AsyncIterator[bytes]:
        bucket, _, key = link.partition("://")[2].partition("/")
        if bucket not in self._reach.buckets or not key:
            allowed = ", ".join(sorted(self._reach.buckets)) or "none"
            raise _bad(link, f"it must name an object of one of these buckets: {allowed}")
        try:
            if self._s3 is None:
                client = get_session().create_client("s3", region_name=self._region)
                self._s3 = await self._stack.enter_async_context(client)
            response = await self._s3.get_object(Bucket=bucket, Key=key)
            async with response["Body"] as body:
                while chunk := await body.read(CHUNK_BYTES):
                    yield chunk
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise (_bad if code in FOREIGN else _unavailable)(link, f"S3 says {code}") from error
        except (BotoCoreError, aiohttp.ClientError, OSError) as error:
            raise _unavailable(link, f"S3 does not answer: {type(error).__name__}") from error

    async def _session(self, networks: tuple[Network, ...]) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            socket_factory=guarded(networks, allow_loopback=self._reach.allow_loopback),
            resolver=aiohttp.ThreadedResolver(),
        )
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"User-Agent": "sd-on-eks-image-kit"},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return await self._stack.enter_async_context(session)


def _check(link: str, status: int) -> None:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _unavailable(link, f"its server answered {status}")
    if status != HTTPStatus.OK:
        raise _bad(link, f"its server answered {status}")


def _shown(link: str) -> str:
    """Without query, fragment and credentials, which hold secrets."""
    try:
        return truncate(str(URL(link).with_user(None).with_query(None).with_fragment(None)), MAX_SHOWN)
    except ValueError:
        return f"{link.partition('://')[0]}://…"


def _bad(link: str, why: str) -> KitError:
    return BadLink.of(URL_FIELD, f"could not fetch {_shown(link)}: {why}")


def _unavailable(link: str, why: str) -> KitError:
    return LinkUnavailable(f"could not fetch {_shown(link)}: {why}")
