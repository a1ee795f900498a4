"""Receivers at the wire: what each answer means, and which are never connected to."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from test.support.web import Site, a_site, a_wire, self_signed
from webhook_lambda.receiver import Answer, Receivers, Timeouts, Verdict, answer_of

BODY = b'{"type":"task.ended"}'
QUICK = Timeouts(connect=0.5, total=0.5)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


async def post(url: str, timeouts: Timeouts = QUICK, *, allow_loopback: bool = True) -> Answer:
    async with Receivers(timeouts, allow_loopback=allow_loopback) as receivers:
        return await receivers.post(url, {"webhook-id": "msg_1"}, BODY)


async def answered(site: Site, status: int, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={name.replace("_", "-"): text for name, text in headers.items()})

    return await post(site.at("/hook", answer), Timeouts())


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_2xx_is_a_delivery(site: Site, status: int) -> None:
    assert await answered(site, status) == Answer(verdict=Verdict.DELIVERED, status=status)


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 408, 409, 422, 429, 500, 502, 503])
async def test_what_is_not_2xx_is_tried_again(site: Site, status: int) -> None:
    assert await answered(site, status) == Answer(verdict=Verdict.FAILED, status=status)


async def test_410_wants_no_more(site: Site) -> None:
    assert await answered(site, 410) == Answer(verdict=Verdict.GONE, status=410)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(site: Site, status: int) -> None:
    answer = await answered(site, status, Location="/elsewhere")
    assert answer == Answer(verdict=Verdict.FAILED, status=status)
    assert site.asked("/elsewhere") == 0


async def test_the_receiver_gets_the_body_and_headers_as_they_are(site: Site) -> None:
    seen: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        seen.update(body=await request.read(), path=request.raw_path, **request.headers)
        return web.Response()

    await post(site.at("/a%2Fb", answer) + "?q=%20", Timeouts())
    assert seen["body"] == BODY
    assert seen["path"] == "/a%2Fb?q=%20"
    assert seen["webhook-id"] == "msg_1"
    assert seen["Content-Type"] == "application/json"
    assert seen["User-Agent"].startswith("sd-on-eks")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (format_datetime(datetime(2026, 1, 31, 12, 5, tzinfo=UTC), usegmt=True), 300.0),
        (format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True), 0.0),
        ("9" * 30, 1e30),
        *((bad, None) for bad in ("soon", "", "-5", "1.5", "²", "Mon, 99 Foo 2026", None)),
        *((f"Wed, 21 Oct {bad}", None) for bad in ("9" * 20 + " 07:28:00 GMT", "2026 07:28:00 +" + "9" * 20)),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert answer_of(429, header, NOW).retry_after == (None if seconds is None else pytest.approx(seconds))


async def test_retry_after_is_read_from_the_wire(site: Site) -> None:
    assert (await answered(site, 429, Retry_After="7")).retry_after == 7


async def test_a_receiver_that_is_down_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    answer = await post(f"http://127.0.0.1:{port}/", Timeouts())
    assert answer == Answer(verdict=Verdict.FAILED, reason="no connection")


@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\nX: "])
async def test_a_slow_receiver_costs_the_time_limit_and_no_more(drip: bytes) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(drip)
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with a_wire(speak if drip else _silent) as wire:
        began = time.monotonic()
        answer = await post(f"http://127.0.0.1:{wire.port}/")
    assert answer == Answer(verdict=Verdict.FAILED, reason="no answer in time")
    assert time.monotonic() - began < 10


async def _silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass


async def test_an_endless_body_is_not_read() -> None:
    sent = 0

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()
            sent += 0x10000

    async with a_wire(speak) as wire:
        answer = await post(f"http://127.0.0.1:{wire.port}/", Timeouts(total=60))
    assert answer == Answer(verdict=Verdict.DELIVERED, status=200)
    assert sent < 64 * 2**20


@pytest.mark.parametrize(
    "text", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100_000]
)
async def test_what_is_not_http_fails(text: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()

    async with a_wire(speak) as wire:
        answer = await post(f"http://127.0.0.1:{wire.port}/", Timeouts())
    assert answer.verdict is Verdict.FAILED
    assert answer.reason in {"the answer was not HTTP", "the connection broke"}


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with a_site(tls=self_signed(tmp_path, "localhost")) as site:
        answer = await post(str(site.url), Timeouts())
        assert site.requests == []
    assert answer == Answer(verdict=Verdict.FAILED, reason="the certificate is not valid")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433"])
async def test_loopback_is_refused_however_it_is_written(site: Site, host: str) -> None:
    answer = await post(f"http://{host}:{site.url.port}/", Timeouts(), allow_loopback=False)
    assert answer.verdict is Verdict.FAILED
    assert site.requests == []


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "192.168.1.1", "169.254.170.23", "100.64.0.1"])
@pytest.mark.parametrize("allow_loopback", [True, False])
async def test_private_and_credential_addresses_are_refused_at_once(address: str, *, allow_loopback: bool) -> None:
    answer = await post(f"http://{address}/", Timeouts(), allow_loopback=allow_loopback)
    assert answer == Answer(verdict=Verdict.FAILED, reason="the address is not public")


async def test_the_address_that_is_connected_to_is_checked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attacker's name server says a public address first and a private one afterwards (DNS rebinding)."""
    real, answers = socket.getaddrinfo, ["93.184.215.14", "127.0.0.1"]

    def getaddrinfo(host: Any, port: Any, *rest: Any, **options: Any) -> list[Any]:
        if host != "rebinding.example":
            return real(host, port, *rest, **options)
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    socket.getaddrinfo("rebinding.example", 80)  # the first look-up of the name gets a public address
    answer = await post(f"http://rebinding.example:{site.url.port}/", Timeouts(), allow_loopback=False)
    assert answer == Answer(verdict=Verdict.FAILED, reason="the address is not public")
    assert site.requests == []


async def test_a_name_that_does_not_exist_fails() -> None:
    answer = await post("https://receiver.invalid/", Timeouts())
    assert answer == Answer(verdict=Verdict.FAILED, reason="the name is not known")
