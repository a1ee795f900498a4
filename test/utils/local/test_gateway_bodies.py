"""Bodies of requests at the local API Gateway: too large, packed, slow, and never complete."""

import asyncio
import gzip
import io
import logging
import threading
from collections.abc import AsyncIterator

import pytest

from test.support.gateway import KEY, LIMIT, Start, answering_what_it_was_called_with
from utils.local.gateway import MAX_EVENT_BYTES
from utils.local.gateway_admission import MAX_BODY_BYTES


async def chunks(size: int) -> AsyncIterator[bytes]:
    """A body whose length is not told beforehand."""
    for _ in range(size // 65536):
        yield b"x" * 65536


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_above_10_mb_is_too_large(chunked: bool, start: Start) -> None:
    called = threading.Event()
    api = await start(lambda event, context: called.set())
    size = 11 * 1024 * 1024

    answer = await api.send(body=chunks(size) if chunked else io.BytesIO(b"x" * size))

    assert answer.status == 413
    assert str(MAX_BODY_BYTES) in answer.message
    assert not called.is_set()


async def test_a_client_that_waits_for_100_continue_gets_it(start: Start) -> None:
    # Given a client that sends a body only when it is asked to, as curl does with large ones
    api = await start(lambda event, context: {"statusCode": 200, "body": str(len(event["body"]))})
    url, headers = api.gateway.endpoint + "v1alpha2", {"x-api-key": KEY}

    # When / Then
    async with api.client.post(url, data=io.BytesIO(b"x" * 2_000_000), headers=headers, expect100=True) as response:
        assert await response.text() == "2000000"


async def test_a_small_body_that_unpacks_to_more_is_too_large(start: Start) -> None:
    api = await start(answering_what_it_was_called_with)

    answer = await api.send(body=gzip.compress(b" " * (11 * 1024 * 1024)), **{"Content-Encoding": "gzip"})

    assert answer.status == 413


async def test_a_body_that_is_not_packed_as_it_says_is_refused(start: Start) -> None:
    api = await start(answering_what_it_was_called_with)

    answer = await api.send(body=b"this is no gzip", **{"Content-Encoding": "gzip"})

    assert answer.status == 400
    assert answer.message


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (MAX_EVENT_BYTES - 8192), 200),
        (b"x" * MAX_EVENT_BYTES, 413),
        (b'"' * (MAX_EVENT_BYTES // 2), 413),
    ],
    ids=["just below", "the body alone", "its quotes escaped"],
)
async def test_an_event_above_lambdas_6_mb_is_too_large(body: bytes, status: int, start: Start) -> None:
    # Given that the event wraps the body in JSON
    api = await start(lambda event, context: {"statusCode": 200, "body": str(len(event["body"]))})

    # When / Then
    answer = await api.send(body=io.BytesIO(body))
    assert answer.status == status
    if status == 413:
        assert str(MAX_EVENT_BYTES) in answer.message
    else:
        assert answer.text == str(len(body))


async def test_a_client_that_leaves_amid_its_body_disturbs_nobody(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a client that promises more than it sends
    api = await start(answering_what_it_was_called_with)
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"POST /dev/v1alpha2 HTTP/1.1\r\nHost: x\r\nx-api-key: {KEY}\r\nContent-Length: 1000\r\n\r\n"
    writer.write(head.encode() + b"{")
    await writer.drain()

    # When it goes away
    writer.close()
    await writer.wait_closed()

    # Then the next one is served, and nothing is reported as an error of ours
    assert (await api.send()).status == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_body_that_does_not_come_is_given_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a client that promises a body and sends none
    monkeypatch.setattr("utils.local.gateway_admission.READ_SECONDS", 0.1)
    api = await start(answering_what_it_was_called_with)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(f"POST /dev/v1alpha2 HTTP/1.1\r\nHost: x\r\nx-api-key: {KEY}\r\nContent-Length: 9\r\n\r\n".encode())

    # When
    async with asyncio.timeout(LIMIT):
        status = await reader.readline()
    writer.close()
    await writer.wait_closed()

    # Then
    assert b" 408 " in status
