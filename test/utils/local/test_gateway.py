"""The local API Gateway over real HTTP, with handlers that are simple, slow or broken."""

import asyncio
import gzip
import io
import json
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest
from yarl import URL

from utils.local.gateway import MAX_EVENT_BYTES, Gateway, Handler
from utils.local.gateway_admission import MAX_BODY_BYTES
from utils.local.ports import address, listen
from utils.local.usage import ApiKey

KEY = "a-local-key"
LIMIT = 30.0
DOCUMENTED = Path(__file__).parents[2] / "events" / "api-gateway" / "rest-proxy-event.json"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    text: str

    @property
    def message(self) -> str:
        """Of an error, which is always JSON."""
        assert self.headers["Content-Type"].startswith("application/json")
        body = json.loads(self.text)
        assert set(body) == {"message", "errors"}
        return str(body["message"])


@dataclass(frozen=True)
class Api:
    """A running gateway, and a client of it."""

    gateway: Gateway
    client: aiohttp.ClientSession

    @property
    def port(self) -> int:
        port = URL(self.gateway.endpoint).port
        assert port
        return port

    async def send(
        self, path: str = "v1alpha2", body: Any = b"{}", *, method: str = "POST", key: str | None = KEY, **headers: str
    ) -> Answer:
        keyed = {"x-api-key": key, **headers} if key is not None else headers
        url = self.gateway.endpoint + path
        async with self.client.request(method, url, data=body, headers=keyed) as response:
            return Answer(response.status, response.headers, await response.text())


Start: TypeAlias = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a gateway before a handler; further arguments are the gateway's."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler, **options: Any) -> Api:
            key = ApiKey(value=KEY, rate=options.pop("rate", 1e6), burst=options.pop("burst", 1000))
            settings = {"stage": "dev", "routes": [("POST", "/v1alpha1"), ("POST", "/v1alpha2")], "keys": [key]}
            gateway = await stack.enter_async_context(Gateway(handler, **{**settings, **options}))
            client = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT)))
            return Api(gateway, client)

        yield start


def told(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A handler that answers with what it was called with."""
    facts = {"event": event, "request": context.aws_request_id, "left": context.get_remaining_time_in_millis()}
    return {"statusCode": 200, "body": json.dumps(facts)}


async def test_the_endpoint_ends_with_the_stage_as_the_stacks_output_does(start: Start) -> None:
    api = await start(told, stage="prod")

    assert api.gateway.endpoint.endswith("/prod/")
    assert (await api.send("v1alpha1")).status == 200


async def test_the_handler_gets_the_event_that_aws_documents(start: Start) -> None:
    # Given
    api = await start(told)
    documented = json.loads(DOCUMENTED.read_text("utf-8"))

    # When
    answer = await api.send("v1alpha2?a=1&a=2", '{"a": "犬"}', **{"X-Twice": "one"})

    # Then the event has the same fields all the way down, and what was sent
    event = json.loads(answer.text)["event"]
    assert set(event) == set(documented)
    assert set(event["requestContext"]) == set(documented["requestContext"])
    assert set(event["requestContext"]["identity"]) == set(documented["requestContext"]["identity"])
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/v1alpha2", "/v1alpha2", "POST")
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": "犬"}', False)
    assert event["queryStringParameters"] == {"a": "2"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["headers"]["X-Twice"] == "one"
    assert event["requestContext"]["path"] == "/dev/v1alpha2"
    assert event["requestContext"]["stage"] == "dev"
    assert event["requestContext"]["requestId"] == answer.headers["x-amzn-RequestId"]


async def test_a_resource_that_needs_no_key_is_for_anybody_and_no_other_is(start: Start) -> None:
    # Given
    routes = [("GET", "/console"), ("POST", "/v1alpha2")]
    api = await start(told, routes=routes, keyless=["/console"], rate=1e-6, burst=1)

    # When
    answers = [await api.send("console", None, method="GET", key=key) for key in (None, "wrong", KEY)]

    # Then
    assert [answer.status for answer in answers] == [200] * 3
    identity = json.loads(answers[0].text)["event"]["requestContext"]["identity"]
    assert (identity["apiKey"], identity["apiKeyId"]) == (None, None)
    assert (await api.send(key=None)).status == 401


async def test_of_a_header_that_comes_twice_the_last_value_counts_and_all_are_told(start: Start) -> None:
    api = await start(told)

    async with api.client.post(
        api.gateway.endpoint + "v1alpha2", data=b"{}", headers=[("x-api-key", KEY), ("X-A", "1"), ("X-A", "2")]
    ) as response:
        event = (await response.json())["event"]

    assert event["headers"]["X-A"] == "2"
    assert event["multiValueHeaders"]["X-A"] == ["1", "2"]


async def test_a_missing_body_is_null(start: Start) -> None:
    api = await start(told)

    answer = await api.send(body=None)

    assert json.loads(answer.text)["event"]["body"] is None


async def test_bytes_that_are_not_utf_8_reach_the_handler_as_text(start: Start) -> None:
    api = await start(told)

    answer = await api.send(body=b'{"a": "\xff\xfe"}')

    assert json.loads(answer.text)["event"]["body"] == '{"a": "\ufffd\ufffd"}'


async def test_odd_headers_reach_the_handler_as_text(start: Start) -> None:
    # Given a request that no tidy client sends
    api = await start(told)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = (
        b"POST /dev/v1alpha2 HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\nX-Odd: \xff\xc3\xa9\r\nX-Empty:\r\n" % KEY.encode()
    )
    writer.write(head + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")

    # When
    async with asyncio.timeout(LIMIT):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    # Then
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["", "v1alpha3", "v1alpha2/x", "../v1alpha2", "../prod/v1alpha2", "%2e%2e/x"])
async def test_other_paths_are_not_found(path: str, start: Start) -> None:
    api = await start(told)

    answer = await api.send(path)

    assert answer.status == 404
    assert "/dev/v1alpha1 and /dev/v1alpha2" in answer.message


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_not_allowed(method: str, start: Start) -> None:
    api = await start(told)

    answer = await api.send(method=method, body=None)

    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.message


@pytest.mark.parametrize("key", [None, "", "wrong", KEY.upper(), f"{KEY} {KEY}", "ключ"])
async def test_without_the_right_key_nothing_is_called(key: str | None, start: Start) -> None:
    # Given
    called = threading.Event()
    api = await start(lambda event, context: called.set())

    # When
    answer = await api.send(key=key)

    # Then
    assert answer.status == 401
    assert "x-api-key" in answer.message
    assert not called.is_set()


async def test_above_the_burst_requests_are_throttled(start: Start) -> None:
    # Given a burst of three, and a rate that brings no fourth within the test
    api = await start(told, rate=0.0001, burst=3)

    # When
    statuses = sorted([(await api.send()).status for _ in range(5)])

    # Then
    assert statuses == [200, 200, 200, 429, 429]
    assert (await api.send()).message


async def test_requests_with_a_wrong_key_use_nothing_of_the_throttle(start: Start) -> None:
    api = await start(told, rate=0.0001, burst=1)

    for _ in range(5):
        assert (await api.send(key="wrong")).status == 401

    assert (await api.send()).status == 200


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
    api = await start(told)

    answer = await api.send(body=gzip.compress(b" " * (11 * 1024 * 1024)), **{"Content-Encoding": "gzip"})

    assert answer.status == 413


async def test_a_body_that_is_not_packed_as_it_says_is_refused(start: Start) -> None:
    api = await start(told)

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


def raising(event: dict[str, Any], context: Any) -> Any:
    raise RuntimeError("a very private reason")


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
    api = await start(told)

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


async def test_every_request_is_logged_and_no_key_is(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    # Given
    api = await start(raising)

    # When
    with caplog.at_level(logging.DEBUG, "gateway"):
        answer = await api.send()
        await api.send("nosuch%0Apath?key=another-secret", key="a-wrong-secret")

    # Then
    served = [record for record in caplog.records if record.name == "gateway" and record.levelno == logging.INFO]
    assert [record.status for record in served] == [502, 404]  # type: ignore[attr-defined] # from extra
    assert answer.headers["x-amzn-RequestId"] in served[0].getMessage()
    assert "/dev/nosuch%0Apath" in served[1].getMessage()
    for secret in (KEY, "another-secret", "a-wrong-secret"):
        assert secret not in caplog.text


async def test_who_knocks_before_the_gateway_is_up_waits_and_is_answered(start: Start) -> None:
    # Given a socket that listens, and no server yet
    listening = listen()
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(b"POST /dev/v1alpha2 HTTP/1.0\r\nContent-Length: 2\r\nx-api-key: " + KEY.encode() + b"\r\n\r\n{}")

    # When
    api = await start(told, listening=listening)

    # Then
    async with asyncio.timeout(LIMIT):
        assert b" 200 OK" in await reader.readline()
    assert api.gateway.endpoint == f"{address(listening)}/dev/"
    writer.close()
    await writer.wait_closed()


async def test_after_its_stop_nobody_listens(start: Start) -> None:
    api = await start(told)

    await api.gateway.stop()

    with pytest.raises(aiohttp.ClientConnectorError):
        await api.send()


async def test_a_client_that_leaves_amid_its_body_disturbs_nobody(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a client that promises more than it sends
    api = await start(told)
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
    api = await start(told)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(f"POST /dev/v1alpha2 HTTP/1.1\r\nHost: x\r\nx-api-key: {KEY}\r\nContent-Length: 9\r\n\r\n".encode())

    # When
    async with asyncio.timeout(LIMIT):
        status = await reader.readline()
    writer.close()
    await writer.wait_closed()

    # Then
    assert b" 408 " in status


async def test_each_key_has_a_throttle_and_a_quota_of_its_own(start: Start) -> None:
    # Given
    keys = [
        ApiKey(id="k1", value="one", rate=0.001, burst=2),
        ApiKey(id="k2", value="two", rate=1e6, burst=1000, daily_quota=3),
        ApiKey(id="k3", value="three", rate=1e6, burst=1000),
    ]
    api = await start(told, keys=keys)

    # When each sends five requests
    answers = {key.id: [await api.send(key=key.value) for _ in range(5)] for key in keys}

    # Then only those that are over their own limit are refused, each with its reason
    assert {name: [one.status for one in several] for name, several in answers.items()} == {
        "k1": [200, 200, 429, 429, 429],
        "k2": [200, 200, 200, 429, 429],
        "k3": [200] * 5,
    }
    assert "more slowly" in answers["k1"][-1].message
    assert answers["k2"][-1].message.startswith("Limit Exceeded")


async def test_the_event_names_the_key_that_was_sent(start: Start) -> None:
    keys = [ApiKey(id=f"k{number}", value=f"value-{number}", rate=1e6, burst=1000) for number in range(3)]
    api = await start(told, keys=keys)

    for key in keys:
        identity = json.loads((await api.send(key=key.value)).text)["event"]["requestContext"]["identity"]
        assert (identity["apiKeyId"], identity["apiKey"]) == (key.id, key.value)
    assert (await api.send(key="value-")).status == 401
