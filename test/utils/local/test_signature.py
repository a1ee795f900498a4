"""Signatures of IAM at the local gateway: what AWS's own library and curl sign, and what others forge."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

from utils.local.gateway import Gateway
from utils.local.signature import MAX_SKEW, MISSING, Signatures
from utils.local.usage import ApiKey

KEY, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1"


def who(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """A handler that answers with what it knows of the caller."""
    return {"statusCode": 200, "body": json.dumps({**event["requestContext"]["identity"], "body": event["body"]})}


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    routes = [("POST", "/v1alpha2"), ("GET", "/v1alpha2/tasks/{id}"), ("GET", "/text-to-image")]
    key = ApiKey(value="unused", rate=1e6, burst=20)
    async with Gateway(
        who, stage="dev", routes=routes, keys=[key], signatures=Signatures({KEY: SECRET}, REGION)
    ) as started:
        yield started


def _signed(
    method: str,
    url: str,
    body: bytes = b"",
    *,
    secret: str = SECRET,
    key: str = KEY,
    region: str = REGION,
    service: str = "execute-api",
    token: str | None = None,
    **headers: str,
) -> dict[str, str]:
    request = AWSRequest(method, url, data=body, headers=headers)
    SigV4Auth(Credentials(key, secret, token), service, region).add_auth(request)
    return dict(request.headers.items())


async def _send(method: str, url: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, dict[str, Any]]:
    async with (
        aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
        session.request(method, url, data=body or None, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}, {"X-Many": "a  b"}])
@pytest.mark.parametrize("token", [None, "a-session-token"])
async def test_what_the_library_signs_is_let_in(gateway: Gateway, headers: dict[str, str], token: str | None) -> None:
    # Given
    url, body = gateway.endpoint + "v1alpha2", '{"a": "犬"}'.encode()

    # When
    status, answer = await _send("POST", url, _signed("POST", url, body, token=token, **headers), body)

    # Then
    assert status == 200
    assert (answer["accessKey"], answer["apiKey"], answer["body"]) == (KEY, None, body.decode())
    assert answer["userArn"].startswith("arn:aws:iam::")


@pytest.mark.parametrize(
    "path", ["text-to-image?prompt=a%20cat&seed=1", "text-to-image?b=2&a=1&a=0", "v1alpha2/tasks/a%2Fb"]
)
async def test_queries_and_paths_are_signed_as_they_are(gateway: Gateway, path: str) -> None:
    url = gateway.endpoint + path

    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(url, encoded=True), headers=_signed("GET", url)) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def test_what_curl_signs_is_let_in(gateway: Gateway) -> None:
    # Given
    arguments = ["--aws-sigv4", f"aws:amz:{REGION}:execute-api", "--user", f"{KEY}:{SECRET}", "--data-raw", '{"a": 1}']

    # When
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sS", gateway.endpoint + "v1alpha2", *arguments, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await curl.communicate()

    # Then
    assert json.loads(printed)["accessKey"] == KEY


async def test_an_unsigned_request_is_403_as_api_gateway_says_it(gateway: Gateway) -> None:
    for headers in ({}, {"x-api-key": "unused"}):
        status, answer = await _send("POST", gateway.endpoint + "v1alpha2", headers, b"{}")

        assert (status, answer) == (403, {"message": MISSING})
    assert MISSING == "Missing Authentication Token"


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"secret": "another"}, "The request signature we calculated does not match"),
        ({"key": "AKIDOTHER"}, "The security token included in the request is invalid."),
        ({"region": "us-west-2"}, "Credential should be scoped"),
        ({"service": "s3"}, "Credential should be scoped"),
    ],
)
async def test_a_wrong_signature_is_403_with_the_reason(gateway: Gateway, wrong: dict[str, str], text: str) -> None:
    url = gateway.endpoint + "v1alpha2"

    status, answer = await _send("POST", url, _signed("POST", url, b"{}", **wrong), b"{}")

    assert status == 403
    assert text in answer["message"]
    assert sorted(answer) == ["message"]


@pytest.mark.parametrize(
    "header", ["Basic YTpi", "AWS4-HMAC-SHA256 Credential=a", "AWS4-HMAC-SHA256 " + "Credential=" * 100]
)
async def test_what_is_no_signature_is_403(gateway: Gateway, header: str) -> None:
    status, answer = await _send("POST", gateway.endpoint + "v1alpha2", {"Authorization": header}, b"{}")

    assert status == 403
    assert "Authorization header" in answer["message"]
    assert "YTpi" not in answer["message"]


@pytest.mark.parametrize("change", ["body", "path", "query", "method", "header"])
async def test_what_was_changed_after_it_was_signed_is_403(gateway: Gateway, change: str) -> None:
    # Given
    url, body = gateway.endpoint + "text-to-image?prompt=a", b'{"a": 1}'
    headers = _signed("GET", url, body, **{"X-Note": "one"})
    sent: dict[str, Any] = {"url": url, "body": body, "method": "GET", "headers": headers}

    # When
    match change:
        case "body":
            sent["body"] = b'{"a": 2}'
        case "path":
            sent["url"] = gateway.endpoint + "v1alpha2/tasks/1?prompt=a"
        case "query":
            sent["url"] = url + "&seed=1"
        case "method":
            post = gateway.endpoint + "v1alpha2"
            sent |= {"url": post, "method": "POST", "headers": _signed("GET", post, body)}
        case "header":
            sent["headers"] = {**headers, "X-Note": "two"}

    # Then
    status, answer = await _send(sent["method"], sent["url"], sent["headers"], sent["body"])
    assert (status, "does not match" in answer["message"]) == (403, True)


async def test_a_body_must_be_the_one_whose_hash_is_signed(gateway: Gateway) -> None:
    # Given
    url = gateway.endpoint + "v1alpha2"
    headers = _signed("POST", url, b"other", **{"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})

    # When
    status, answer = await _send("POST", url, headers, b"{}")

    # Then
    assert (status, "does not match" in answer["message"]) == (403, True)


@pytest.mark.parametrize("sign", [-1, 1])
async def test_an_old_or_early_signature_is_403(gateway: Gateway, sign: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    url = gateway.endpoint + "v1alpha2"
    when = datetime.now(UTC) + sign * 1.2 * MAX_SKEW
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: when)

    # When
    status, answer = await _send("POST", url, _signed("POST", url, b"{}"), b"{}")

    # Then
    assert (status, answer["message"].startswith("Signature expired")) == (403, True)


async def test_all_callers_together_have_the_stages_throttle() -> None:
    # Given
    plan = ApiKey(value="unused", rate=0.001, burst=2)
    signatures = Signatures({KEY: SECRET, "AKIDOTHER": SECRET}, REGION)
    async with Gateway(who, stage="dev", routes=[("POST", "/v1alpha2")], keys=[plan], signatures=signatures) as gateway:
        # When
        url = gateway.endpoint + "v1alpha2"
        sent = [
            await _send("POST", url, _signed("POST", url, b"{}", key=one), b"{}") for one in (KEY, "AKIDOTHER", KEY)
        ]

    # Then
    assert [status for status, _ in sent] == [200, 200, 429]


async def test_an_open_api_lets_everybody_in_up_to_its_throttle() -> None:
    # Given
    key = ApiKey(value="unused", rate=0.001, burst=2)
    async with Gateway(who, stage="dev", routes=[("POST", "/v1alpha2")], keys=[key], open_to_all=True) as gateway:
        # When
        answers = [await _send("POST", gateway.endpoint + "v1alpha2", {}, b"{}") for _ in range(3)]

    # Then
    assert [status for status, _ in answers] == [200, 200, 429]
    assert answers[0][1]["apiKey"] is None
