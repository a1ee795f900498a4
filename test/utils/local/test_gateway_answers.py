"""What the local API Gateway makes of its handler's answers, with handlers that are simple, slow or broken."""

import asyncio
import json
import sys
import threading
from typing import Any

import pytest

from test.support.gateway import LIMIT, Start, answering_what_it_was_called_with, raising
from utils.local.gateway import Handler


def leaving(event: dict[str, Any], context: Any) -> Any:
    sys.exit(3)


@pytest.mark.parametrize("handler", [raising, leaving])
async def test_a_handler_that_fails_is_a_bad_gateway_without_internals(handler: Handler, start: Start) -> None:
    api = await start(handler)

    answer = await api.send()

    assert answer.status == 502
    assert "private" not in answer.message
    assert (await api.send()).status == 502


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "text",
        [],
        {},
        {"statusCode": "200"},
        {"statusCode": 99},
        {"statusCode": 200.5},
        {"statusCode": 200, "body": {}},
        {"statusCode": 200, "body": "\ud800"},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "headers": {"X-A": None}},
        {"statusCode": 200, "headers": {"X-A": "1\r\nX-B: 2"}},
        {"statusCode": 200, "multiValueHeaders": {"X-A": "1"}},
        {"statusCode": 200, "more": 1},
        {"statusCode": 200, "body": object()},
        {1: 2},
    ],
)
async def test_an_answer_that_is_none_is_a_bad_gateway(answer: Any, start: Start) -> None:
    api = await start(lambda event, context: answer)

    assert (await api.send()).status == 502


async def test_status_body_and_headers_are_the_handlers(start: Start) -> None:
    # Given
    answer = {
        "statusCode": 418,
        "headers": {"Content-Type": "text/plain", "X-A": 1, "Content-Length": "9999", "x-amzn-requestid": "mine"},
        "multiValueHeaders": {"X-B": ["1", "2"]},
        "body": "犬",
    }
    api = await start(lambda event, context: answer)

    # When
    received = await api.send()

    # Then they come through, but for what only the server can know
    assert (received.status, received.text) == (418, "犬")
    assert received.headers["Content-Type"] == "text/plain"
    assert received.headers["X-A"] == "1"
    assert received.headers.getall("X-B") == ["1", "2"]
    assert received.headers["Content-Length"] == "3"
    assert received.headers.getall("x-amzn-RequestId") != ["mine"]


async def test_an_answer_without_a_content_type_is_json(start: Start) -> None:
    api = await start(lambda event, context: {"statusCode": 204})

    answer = await api.send()

    assert (answer.status, answer.text) == (204, "")


async def test_a_handler_that_takes_too_long_is_a_gateway_timeout(start: Start) -> None:
    # Given a handler that waits for longer than the gateway does
    release = threading.Event()
    api = await start(lambda event, context: release.wait(LIMIT), integration_seconds=0.1)

    # When
    answer = await api.send()
    release.set()

    # Then
    assert answer.status == 504
    assert answer.message


async def test_the_handler_is_told_how_much_time_it_has(start: Start) -> None:
    api = await start(answering_what_it_was_called_with)

    left = json.loads((await api.send()).text)["left"]

    assert 0 < left <= 29_000


async def test_several_handlers_run_at_once(start: Start) -> None:
    # Given handlers that only go on when three of them are under way
    together = threading.Barrier(3, timeout=LIMIT)

    def handler(event: dict[str, Any], context: Any) -> Any:
        together.wait()
        return {"statusCode": 200}

    api = await start(handler)

    # When / Then
    answers = await asyncio.gather(*(api.send() for _ in range(3)))
    assert [answer.status for answer in answers] == [200, 200, 200]
