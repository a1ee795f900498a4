"""Webhooks: what a task may ask for, and how the parts that send one name things.

Whether the address behind a name is public is only known when it is connected to; the sender checks it there.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from contract.address_guard import is_public
from contract.errors import Problem, shown

STARTED, ENDED = "started", "ended"

EVENTS = (STARTED, ENDED)
"""What a task can send. Each is sent once, and again until the receiver has answered 2xx."""

DEFAULT_EVENTS = (ENDED,)

FIELD = "options.webhook"

MAX_URL_LENGTH = 2048
"""Characters. The task's item holds the URL, and is paid for by the kilobyte."""

_PRINTABLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"(?=.{1,253}\.?$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
"""The lengths are those of DNS (RFC 1035, 2.3.4)."""

_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)

_LOCALHOST = "localhost"


def webhook_problem(url: Any, events: Any, *, allow_loopback: bool = False) -> Iterator[Problem]:
    """What is wrong with the values of ``options.webhook``; nothing when they are as they should be.

    ``allow_loopback``: also take ``http`` and ``https`` URLs of this machine, as the local platform does.
    """
    problem = _url_problem(url, allow_loopback=allow_loopback)
    if problem:
        yield Problem(f"{FIELD}.url", problem)
    if not isinstance(events, list | tuple) or not events or any(event not in EVENTS for event in events):
        yield Problem(f"{FIELD}.events", f"must be a list of one or more of {', '.join(EVENTS)}, got {shown(events)}")
    elif len(set(events)) < len(events):
        yield Problem(f"{FIELD}.events", f"must name each event once, got {shown(events)}")


def _url_problem(url: Any, *, allow_loopback: bool) -> str | None:
    """The URL is not shown whole: those of receivers often hold a token."""
    if not isinstance(url, str):
        return f"must be a URL, got {shown(url)}"
    if len(url) > MAX_URL_LENGTH:
        return f"must have at most {MAX_URL_LENGTH} characters, got {len(url)}"
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        return (
            "must hold printable ASCII characters only, and no backslash; encode others with %, and names as Punycode"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"must be a URL: {error}"
    if port == 0:
        return "must have a port from 1 to 65535"
    return _scheme_problem(parts, allow_loopback=allow_loopback) or _host_problem(parts, allow_loopback=allow_loopback)


def _scheme_problem(parts: SplitResult, *, allow_loopback: bool) -> str | None:
    local = allow_loopback and parts.hostname is not None and _is_local(parts.hostname)
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        return f"must begin with https://, got {shown(parts.scheme)}"
    if parts.username is not None or parts.password is not None:
        return "must hold neither a user nor a password; deliveries are signed instead"
    if parts.fragment:
        return "must have no fragment (#…), which is never sent"
    return None


def _host_problem(parts: SplitResult, *, allow_loopback: bool) -> str | None:
    host = parts.hostname
    if not host:
        return "must name a host"
    if "%" in host:  # a zone, which has a meaning on one machine only
        return f"must name a host, got {shown(host)}"
    if _is_local(host):
        return None if allow_loopback else "must lead to a public address, not to the platform itself"
    try:
        address = ip_address(host)
    except ValueError:
        numeric = _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2])
        return None if _NAME.fullmatch(host) and not numeric else f"must name a host, got {shown(host)}"
    return None if is_public(address) else "must lead to a public address"


def _is_local(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == _LOCALHOST or name.endswith(f".{_LOCALHOST}"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
