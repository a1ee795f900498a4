"""The function, behind the gateway of the platform on one machine, called as the services' clients call theirs."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientSession
from PIL import Image

from contract.image_kit import ROUTES
from image_kit import handler
from image_kit.handler import Function
from image_kit.settings import Settings, read_settings
from test.support.aws import REGION, Aws, embedded
from test.support.drawings import encoded
from test.support.web import Site, a_site
from utils.local.gateway import Gateway
from utils.local.usage import ApiKey
from utils.simulators.imagekit import SimulatedModels

KEY = "secret"
SETTINGS = {"ALLOWED_LINK_HOSTS": "127.0.0.0/8", "ALLOW_LOOPBACK_LINKS": "true", "AWS_DEFAULT_REGION": REGION}
LIMIT = 60

CURL = """curl --location --silent --request POST "${{ENDPOINT}}{route}" \\
--header 'Content-Type: application/json' --header "x-api-key: $API_KEY" \\
--data-raw '{body}'"""

PYTHON = """
import json, os, requests
url = os.environ["ENDPOINT"] + "{route}"
payload = json.dumps({body})
headers = {{"Content-Type": "application/json", "x-api-key": os.environ["API_KEY"]}}
response = requests.request("POST", url, headers=headers, data=payload)
print(response.text)
"""


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


def _gateway(settings: Settings, *, seconds_per_step: float = 0.0, seconds: float = 29.0) -> Gateway:
    function = Function(SimulatedModels(seconds_per_step), settings)
    routes = [("POST", f"/{route}") for route in ROUTES]
    keys = (ApiKey(value=KEY, rate=100, burst=100),)
    return Gateway(function, stage="prod", routes=routes, keys=keys, integration_seconds=seconds)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with _gateway(read_settings(SETTINGS)) as gateway:
        yield gateway


async def _post(gateway: Gateway, route: str, body: Any) -> tuple[int, Any]:
    async with (
        ClientSession(headers={"x-api-key": KEY}) as session,
        session.post(f"{gateway.endpoint}{route}", json=body) as answer,
    ):
        return answer.status, await answer.json()


def _img(width: int = 40, height: int = 20) -> str:
    return base64.b64encode(encoded(Image.new("RGB", (width, height)))).decode()


def _size(body: Any) -> tuple[int, int]:
    return Image.open(BytesIO(base64.b64decode(body["result"], validate=True))).size


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("program", ["curl", "python"])
async def test_the_clients_of_the_services_get_their_answers(
    gateway: Gateway, site: Site, route: str, program: str
) -> None:
    # Given
    link = site.serve("/a.jpg", encoded(Image.new("RGB", (40, 20)), "JPEG"))
    body = json.dumps({"url": link})
    text = (CURL if program == "curl" else PYTHON).format(route=route, body=body)
    command = ["bash", "-c", text] if program == "curl" else [sys.executable, "-c", text]

    # When
    ran = await asyncio.to_thread(
        subprocess.run,
        command,
        env={"PATH": os.environ["PATH"], "ENDPOINT": gateway.endpoint, "API_KEY": KEY},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=True,
    )

    # Then
    answer = json.loads(ran.stdout)
    if "ocr" in route:
        assert [sorted(line) for line in answer] == [["location", "score", "words"]]
    else:
        assert list(answer) == ["result"]
        assert _size(answer) == ((80, 40) if "resolution" in route else (40, 20))


async def test_the_url_wins_over_the_image(gateway: Gateway, site: Site) -> None:
    link = site.serve("/a", encoded(Image.new("RGB", (7, 9))))

    _, answer = await _post(gateway, "resolution", {"url": link, "img": _img(), "scale": 4})

    assert _size(answer) == (28, 36)


@pytest.mark.parametrize(
    ("route", "body", "message", "field"),
    [
        ("ocr", {}, "invalid param", "url"),
        ("ocr", [], "invalid param", ""),
        ("resolution", {"img": _img(), "scale": 3}, "invalid param", "scale"),
        ("seg", {"img": "bm8="}, "invalid param", "img"),
        ("seg", {"img": _img(4097, 1)}, "invalid param", "img"),
        ("ocr", {"url": "http://169.254.169.254/latest"}, "parameter `url` illegal", "url"),
        ("ocr", {"url": "s3://theirs/a.png"}, "parameter `url` illegal", "url"),
    ],
)
async def test_a_wrong_request_is_400_as_the_services_say_it(
    gateway: Gateway, route: str, body: Any, message: str, field: str
) -> None:
    status, answer = await _post(gateway, route, body)

    assert (status, answer["message"]) == (400, message)
    assert [one["field"] for one in answer["errors"]] == [field]


async def test_what_the_policy_forbids_is_400_before_the_model_works() -> None:
    async with _gateway(read_settings({**SETTINGS, "TASK_POLICY": '{"maxUpscaling": 2}'})) as gateway:
        # When
        fourfold = await _post(gateway, "resolution", {"img": _img(), "scale": 4})
        twofold = await _post(gateway, "resolution", {"img": _img(), "scale": 2})

    # Then
    assert (fourfold[0], fourfold[1]["message"], fourfold[1]["errors"][0]["field"]) == (400, "invalid param", "scale")
    assert "taskPolicy.maxUpscaling" in fourfold[1]["errors"][0]["problem"]
    assert twofold[0] == 200


async def test_a_job_that_takes_too_long_ends_in_time_with_what_to_do_instead() -> None:
    async with _gateway(read_settings(SETTINGS), seconds_per_step=0.05, seconds=4.0) as gateway:
        # When
        status, answer = await _post(gateway, "resolution", {"img": _img(500, 500), "scale": 4})

    # Then
    assert (status, answer["type"]) == (504, "timeout")
    assert "to POST /v1alpha2" in answer["message"]


@pytest.fixture(scope="module")
def aws() -> Any:
    with embedded() as aws:
        yield aws


async def test_an_answer_too_large_for_a_function_is_a_link_that_opens_without_credentials(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    aws.client("s3").create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": REGION})
    for name, value in {**aws.environment, "AWS_ENDPOINT_URL": aws.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(handler, "MAX_ANSWER_BYTES", 100)
    settings = read_settings({**SETTINGS, "RESULTS_BUCKET": "results"})

    # When
    async with _gateway(settings) as gateway:
        status, answer = await _post(gateway, "resolution", {"img": _img()})

    # Then
    assert (status, list(answer)) == (200, ["url"])
    async with ClientSession() as session, session.get(answer["url"]) as opened:
        assert opened.status == 200
        assert opened.headers["Content-Type"] == "image/png"
        assert Image.open(BytesIO(await opened.read())).size == (80, 40)


async def test_an_answer_too_large_without_a_bucket_is_refused(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "MAX_ANSWER_BYTES", 100)

    status, answer = await _post(gateway, "resolution", {"img": _img()})

    assert (status, answer["type"]) == (413, "output-limit")


async def test_an_object_of_a_bucket_that_is_named_is_read(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="photos", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="photos", Key="a b.png", Body=encoded(Image.new("RGB", (11, 12))))
    for name, value in {**aws.environment, "AWS_ENDPOINT_URL": aws.url}.items():
        monkeypatch.setenv(name, value)

    # When
    async with _gateway(read_settings({**SETTINGS, "INPUT_BUCKETS": "photos"})) as gateway:
        found = await _post(gateway, "seg", {"url": "s3://photos/a b.png"})
        lost = await _post(gateway, "seg", {"url": "s3://photos/b.png"})

    # Then
    assert _size(found[1]) == (11, 12)
    assert (lost[0], lost[1]["message"]) == (400, "parameter `url` illegal")
    assert "S3 says NoSuchKey" in lost[1]["errors"][0]["problem"]


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"resource": "/other", "httpMethod": "POST", "body": "{}"}, 404),
        ({"resource": "/ocr", "httpMethod": "GET", "body": None}, 405),
        ({"resource": "/ocr", "httpMethod": "POST", "body": None}, 400),
        ({"resource": "/ocr", "httpMethod": "POST", "body": "%", "isBase64Encoded": True}, 400),
        ({}, 404),
    ],
)
def test_every_event_is_answered_in_json(event: dict[str, Any], status: int) -> None:
    answer = Function(SimulatedModels(0), read_settings(SETTINGS))(event, None)

    assert answer["statusCode"] == status
    assert set(json.loads(answer["body"])) == {"message", "type", "errors"}
