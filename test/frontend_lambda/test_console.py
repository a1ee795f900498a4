"""``GET /console``: one page, for anybody, which may do nothing but what it is made for."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contract.clients import Client, Clients
from frontend_lambda.handler import make_handler
from test.frontend_lambda.conftest import FrontDoor

SCRIPT, STYLE = 'document.title = "<b>";', "body { color: red }"
PAGE = f"<!doctype html><style>{STYLE}</style><script>{SCRIPT}</script>"

Get = Callable[..., dict[str, Any]]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(PAGE, encoding="utf-8")
    return path


@pytest.fixture
def get(standing_door: FrontDoor, page: Path) -> Get:
    """GET /console, without an API key and of a door whose clients have keys."""
    clients = Clients((Client("web", key_id="key-of-web"), Client("batch", key_id="key-of-batch")))
    handler = make_handler(replace(standing_door.settings, clients=clients, console_page=page), standing_door.session)

    def get(method: str = "GET", **headers: str) -> dict[str, Any]:
        event = standing_door.event("console", None, httpMethod=method, headers=headers)
        event["requestContext"] = {**event["requestContext"], "identity": {"apiKeyId": None}}
        return handler(event, None)

    return get


def directives(response: dict[str, Any]) -> dict[str, list[str]]:
    policy = response["headers"]["Content-Security-Policy"]
    return {name: values for name, *values in (one.split() for one in policy.split(";"))}


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_anybody_gets_the_page(get: Get) -> None:
    response = get()

    assert (response["statusCode"], response["body"]) == (200, PAGE)
    assert response["headers"]["Content-Type"] == "text/html; charset=utf-8"
    json.dumps(response)  # as Lambda does


def test_the_page_may_run_its_own_script_and_reach_its_own_origin_and_the_bucket(
    get: Get, standing_door: FrontDoor
) -> None:
    # When
    policy = directives(get())

    # Then
    endpoint = standing_door.settings.endpoint_url
    assert endpoint
    bucket = endpoint.rstrip("/")
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == [hashed(SCRIPT)]
    assert policy["style-src"] == [hashed(STYLE)]
    assert policy["connect-src"] == ["'self'", bucket]
    assert policy["img-src"] == ["blob:", "data:", bucket]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    assert policy["require-trusted-types-for"] == ["'script'"]


def test_a_browser_that_has_the_page_does_not_get_it_again(get: Get) -> None:
    # Given
    first = get()

    # When
    again = get(**{"if-none-match": f"W/{first['headers']['ETag']}"})

    # Then
    assert (again["statusCode"], again["body"]) == (304, "")
    assert again["headers"]["Content-Security-Policy"] == first["headers"]["Content-Security-Policy"]
    assert get(**{"If-None-Match": '"another"'})["statusCode"] == 200


def test_a_page_that_is_not_built_yet_is_said_to_be_and_found_later(get: Get, page: Path) -> None:
    # Given
    page.unlink()

    # When
    response = get()

    # Then
    assert response["statusCode"] == 503
    assert "python -m infra.console" in response["body"]
    assert response["headers"]["Cache-Control"] == "no-store"
    page.write_text(PAGE, encoding="utf-8")
    assert get()["body"] == PAGE


def test_there_is_nothing_to_post_to(get: Get) -> None:
    assert get("POST")["statusCode"] == 404
