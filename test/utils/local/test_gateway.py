"""The local API Gateway over real HTTP: its events, routes, log, start and stop."""

import asyncio
import json
import logging
from pathlib import Path

import aiohttp
import pytest

from test.support.gateway import KEY, LIMIT, Start, answering_what_it_was_called_with, raising
from utils.local.ports import address, listen

DOCUMENTED = Path(__file__).parents[2] / "events" / "api-gateway" / "rest-proxy-event.json"


async def test_the_endpoint_ends_with_the_stage_as_the_stacks_output_does(start: Start) -> None:
    api = await start(answering_what_it_was_called_with, stage="prod")

    assert api.gateway.endpoint.endswith("/prod/")
    assert (await api.send("v1alpha1")).status == 200


async def test_the_handler_gets_the_event_that_aws_documents(start: Start) -> None:
    # Given
    api = await start(answering_what_it_was_called_with)
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


async def test_of_a_header_that_comes_twice_the_last_value_counts_and_all_are_told(start: Start) -> None:
    api = await start(answering_what_it_was_called_with)

    async with api.client.post(
        api.gateway.endpoint + "v1alpha2", data=b"{}", headers=[("x-api-key", KEY), ("X-A", "1"), ("X-A", "2")]
    ) as response:
        event = (await response.json())["event"]

    assert event["headers"]["X-A"] == "2"
    assert event["multiValueHeaders"]["X-A"] == ["1", "2"]


async def test_a_missing_body_is_null(start: Start) -> None:
    api = await start(answering_what_it_was_called_with)

    answer = await api.send(body=None)

    assert json.loads(answer.text)["event"]["body"] is None


async def test_bytes_that_are_not_utf_8_reach_the_handler_as_text(start: Start) -> None:
    api = await start(answering_what_it_was_called_with)

    answer = await api.send(body=b'{"a": "\xff\xfe"}')

    assert json.loads(answer.text)["event"]["body"] == '{"a": "\ufffd\ufffd"}'


async def test_odd_headers_reach_the_handler_as_text(start: Start) -> None:
    # Given a request that no tidy client sends
    api = await start(answering_what_it_was_called_with)
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
    api = await start(answering_what_it_was_called_with)

    answer = await api.send(path)

    assert answer.status == 404
    assert "/dev/v1alpha1 and /dev/v1alpha2" in answer.message


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_not_allowed(method: str, start: Start) -> None:
    api = await start(answering_what_it_was_called_with)

    answer = await api.send(method=method, body=None)

    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.message


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
    api = await start(answering_what_it_was_called_with, listening=listening)

    # Then
    async with asyncio.timeout(LIMIT):
        assert b" 200 OK" in await reader.readline()
    assert api.gateway.endpoint == f"{address(listening)}/dev/"
    writer.close()
    await writer.wait_closed()


async def test_after_its_stop_nobody_listens(start: Start) -> None:
    api = await start(answering_what_it_was_called_with)

    await api.gateway.stop()

    with pytest.raises(aiohttp.ClientConnectorError):
        await api.send()
