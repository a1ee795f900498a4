"""Servers that links lead to, and the names that lead there."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from test.support.web import Site, Wire, a_site, a_wire


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


NOT_PUBLIC = "its address is not public; allow it in the configuration (allowedLinkHosts) if it should be"

Resolve = Callable[[str, Sequence[str]], None]


@pytest.fixture
async def inside() -> AsyncIterator[Wire]:
    """What an attacker aims at: a server on loopback that counts every connection, even a silent one."""

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")

    async with a_wire(speak) as wire:
        yield wire


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Lets a name stand for addresses, one list a look-up, as an attacker's name server does.

    It takes the place of the operating system's resolver; all that asks it is real.
    """
    real = socket.getaddrinfo
    records: dict[str, list[Sequence[str]]] = {}

    def getaddrinfo(host: Any, port: Any, *rest: Any, **options: Any) -> list[Any]:
        if host not in records:
            return real(host, port, *rest, **options)
        answers = records[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    def resolve(host: str, addresses: Sequence[str]) -> None:
        records.setdefault(host, []).append(addresses)

    return resolve
