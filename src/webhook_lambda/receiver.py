"""One request to a receiver, and what its answer means.

A receiver is untrusted: it may be slow, answer anything, and its name may lead anywhere. So the address that is really
connected to is checked, redirects are failures, and the answer's body is not read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from contract.address_guard import LOOPBACK, ForbiddenAddress, guarded

USER_AGENT = "sd-on-eks-webhooks"

MAX_HEADER_BYTES = 8_190


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: for a connection, and for everything up to the answer's headers."""

    connect: float = 5.0
    total: float = 10.0


class Verdict(Enum):
    """What a try came to."""

    DELIVERED = "delivered"
    FAILED = "failed"
    """To be tried again."""
    GONE = "gone"
    """The receiver wants no more of this webhook (410)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``status`` None: there was no answer, for ``reason``. ``retry_after``: seconds that the receiver asked for."""

    verdict: Verdict
    status: int | None = None
    reason: str | None = None
    retry_after: float | None = None


class Receivers:
    """Sends requests. To be used, as a context manager, in one event loop."""

    def __init__(self, timeouts: Timeouts, *, allow_loopback: bool) -> None:
        self._timeouts = timeouts
        self._guard = guarded(LOOPBACK if allow_loopback else (), allow_loopback=allow_loopback)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # A connection of its own for each request: between two calls of the function nobody keeps one open.
        connector = aiohttp.TCPConnector(
            socket_factory=self._guard,
            resolver=aiohttp.ThreadedResolver(),
            use_dns_cache=False,
            force_close=True,
            limit=0,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeouts.total, sock_connect=self._timeouts.connect),
            headers={"User-Agent": USER_AGENT, "Content-Type": "application/json", "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send ``body``. Never raises for what a receiver does."""
        assert self._session, "used as a context manager"
        try:
            async with self._session.post(
                URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
            ) as response:
                return answer_of(response.status, response.headers.get("Retry-After"), datetime.now(UTC))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Answer(verdict=Verdict.FAILED, reason=_reason(error))


def answer_of(status: int, retry_after: str | None, now: datetime) -> Answer:
    """What a status means. ``retry_after`` is the header's value."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer(verdict=Verdict.DELIVERED, status=status)
    if status == HTTPStatus.GONE:
        return Answer(verdict=Verdict.GONE, status=status)
    return Answer(verdict=Verdict.FAILED, status=status, retry_after=_seconds(retry_after, now))


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """Seconds or a date (RFC 9110, 10.2.3). None for anything else: it comes from a stranger."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def _reason(error: BaseException) -> str:
    """Of a fixed set, for a receiver's own text might hold anything."""
    causes = [error, error.__cause__, getattr(error, "os_error", None)]
    kinds: Mapping[str, tuple[type[BaseException], ...]] = {
        "the address is not public": (ForbiddenAddress,),
        "no answer in time": (TimeoutError,),
        "the name is not known": (aiohttp.ClientConnectorDNSError,),
        "the certificate is not valid": (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError),
        "no connection": (aiohttp.ClientConnectorError,),
        "the connection broke": (aiohttp.ClientConnectionError, OSError),
    }
    for reason, types in kinds.items():
        if any(isinstance(cause, types) for cause in causes):
            return reason
    return "the answer was not HTTP"
