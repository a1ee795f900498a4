"""Files that ``http://`` and ``https://`` links name, through guarded clients. Anybody may have chosen the link.

A link may reach public addresses only, unless the settings allow its host; redirects are followed by hand so that each
hop is judged on its own.
"""

import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from ipaddress import ip_network
from typing import Self

import aiohttp
from yarl import URL

from contract.address_guard import ForbiddenAddress, Network, SocketFactory, guarded
from queue_agent.inputs.links import FlakyServer, link_fault

MAX_REDIRECTS = 5
"""Shorteners and CDNs take one to three hops."""

MAX_CONNECTIONS = 16
"""Of all tasks together."""

CHUNK_BYTES = 256 * 1024

USER_AGENT = "sd-on-eks-queue-agent"
NO_URL = "it is not a valid URL"
NOT_PUBLIC = "its address is not public; allow it in the configuration (allowedLinkHosts) if it should be"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""What a server answers that may give the file later, in addition to everything from 500 on."""

UNKNOWN_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
"""The resolver's answers for a name that does not exist; EAI_AGAIN and others say that it has no answer now."""

EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))


class HttpSource:
    """Entered once. Hosts in ``names`` may have any address but those that are always forbidden."""

    def __init__(self, *, names: frozenset[str], networks: Iterable[Network], allow_loopback: bool) -> None:
        self._names = names
        self._networks = tuple(networks)
        self._allow_loopback = allow_loopback
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._guarded = await self._session(guarded(self._networks, allow_loopback=self._allow_loopback))
        self._trusted = await self._session(guarded(EVERYWHERE, allow_loopback=self._allow_loopback))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def linked(self, link: str) -> AsyncGenerator[bytes, None]:
        """The file in chunks.

        Raises FlakyServer when the server cannot be reached or is in trouble, PermanentError for what its answer or the
        link itself proves.
        """
        try:
            url = URL(link)
        except ValueError as error:
            raise link_fault(link, NO_URL) from error
        for _ in range(MAX_REDIRECTS + 1):
            async with self._request(url, link) as response:
                if response.status in REDIRECTS and "Location" in response.headers:
                    url = _followed(url, response.headers["Location"], link)
                    continue
                said = f"its server answered {response.status}"
                if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status in BUSY:
                    raise FlakyServer(said)
                if response.status != HTTPStatus.OK:
                    raise link_fault(link, said)
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    yield chunk
                return
        raise link_fault(link, f"it redirects more than {MAX_REDIRECTS} times")

    @asynccontextmanager
    async def _request(self, url: URL, link: str) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            session = self._trusted if (url.host or "").lower() in self._names else self._guarded
            async with session.get(url, allow_redirects=False) as response:
                yield response
        except (aiohttp.InvalidURL, UnicodeError) as error:
            raise link_fault(link, NO_URL) from error
        except aiohttp.ClientError as error:
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else None
            if isinstance(cause, ForbiddenAddress):
                raise link_fault(link, NOT_PUBLIC) from error
            if isinstance(cause, socket.gaierror) and cause.errno in UNKNOWN_NAME:
                raise link_fault(link, _said(error)) from error
            raise FlakyServer(_said(error)) from error

    async def _session(self, socket_factory: SocketFactory) -> aiohttp.ClientSession:
        # The operating system's resolver says why it has no answer; others may not.
        connector = aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS, socket_factory=socket_factory, resolver=aiohttp.ThreadedResolver()
        )
        return await self._stack.enter_async_context(
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": USER_AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        )


def _said(error: aiohttp.ClientError) -> str:
    """In one line, and without the URL that some errors name, since its query may hold secrets."""
    text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return " ".join([f"{type(error).__name__}:", *text.split()]).removesuffix(":")


def _followed(url: URL, location: str, link: str) -> URL:
    try:
        target = url.join(URL(location))
    except ValueError as error:
        raise link_fault(link, "it redirects to something that is not a URL") from error
    if target.scheme not in {"http", "https"}:
        raise link_fault(link, f"it redirects to {target.scheme}:, which is not followed")
    return target
