"""The image kit's synchronous routes: a task each, and its result as the answer."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession

from contract.clients import Client, Clients
from contract.image_kit import ROUTES
from contract.object_keys import ObjectKeys
from frontend_lambda.handler import make_handler
from frontend_lambda.sync.results import SyncLimits
from test.frontend_lambda.conftest import FrontDoor
from test.frontend_lambda.sync.agent import IMAGE, PATIENCE, an_agent, fails, gives_image, key_id

BODY = {"img": base64.b64encode(b"image").decode()}
LINES = [{"words": "一", "location": {"top": 1, "left": 2, "width": 3, "height": 4}, "score": 0.9}]


def _door(door: FrontDoor, total: float = PATIENCE, *clients: Client, **limits: int) -> FrontDoor:
    """The same place with synchronous routes."""
    settings = replace(door.settings, sync_image_kit="kit", clients=Clients(clients))
    sync_limits = SyncLimits(total=total, pauses=(0.05,), **limits)
    return replace(door, settings=settings, handler=make_handler(settings, door.session, sync_limits=sync_limits))


@pytest.fixture
def routes(door: FrontDoor) -> FrontDoor:
    return _door(door)


def _gives_text(door: FrontDoor, keys: ObjectKeys, callback: dict[str, Any]) -> dict[str, Any]:
    callback["image_url"] = [keys.url(keys.image_key(1, "json"))]
    return {"result": LINES}


@pytest.mark.parametrize("route", ROUTES)
def test_a_request_is_a_task_and_its_result_the_answer(routes: FrontDoor, route: str) -> None:
    # When
    with an_agent(routes, "kit", _gives_text if "ocr" in route else gives_image) as taken:
        answer = routes.post(route, BODY)

    # Then
    assert answer.status == 200
    assert answer.body == (LINES if "ocr" in route else {"result": base64.b64encode(IMAGE).decode()})
    (task,) = taken
    assert task["content"] == BODY
    assert task["metadata"] | {"id": ""} == {
        "id": "",
        "runtime": "kit",
        "tasktype": ROUTES[route].value,
        "prefix": "sync",
        "context": None,
    }


def test_a_task_that_has_not_ended_in_time_is_202_with_its_place(door: FrontDoor) -> None:
    # When
    answer = _door(door, 0.2).post("ocr", BODY)

    # Then
    (message,) = door.received("kit")
    task_id = message.body["task"]["metadata"]["id"]
    assert answer.status == 202
    place = f"s3://{door.settings.output_bucket}/sync/{task_id}"
    assert answer.body == {"id_task": task_id, "runtime": "kit", "output_location": place}


@pytest.mark.parametrize(
    ("cause", "status", "message", "field"),
    [
        ("invalid-request", 400, "invalid param", ""),
        ("link", 400, "parameter `url` illegal", "url"),
        ("out-of-memory", 502, "the cause", None),
    ],
)
def test_a_task_that_fails_is_answered_with_its_cause(
    routes: FrontDoor, cause: str, status: int, message: str, field: str | None
) -> None:
    with an_agent(routes, "kit", fails(cause, "the cause")):
        answer = routes.post("seg", BODY)

    assert (answer.status, answer.body["message"]) == (status, message)
    assert answer.body["errors"] == ([] if field is None else [{"field": field, "problem": "the cause"}])


@pytest.mark.parametrize(
    ("route", "body", "fields"),
    [
        ("ocr", {}, ["url"]),
        ("ocr", [], [""]),
        ("ocr", "no json", [""]),
        ("resolution", {**BODY, "scale": 3, "face": True}, ["scale", "face"]),
        ("seg", {"url": "file:///etc/passwd"}, ["url"]),
    ],
)
def test_a_wrong_request_is_refused_before_there_is_a_task(
    routes: FrontDoor, route: str, body: Any, fields: list[str]
) -> None:
    answer = routes.post(route, body)

    assert (answer.status, answer.body["message"]) == (400, "invalid param")
    assert answer.fields == fields
    assert routes.received_anywhere() == {}


async def test_a_result_larger_than_an_answer_is_a_link_that_opens_without_credentials(
    door: FrontDoor,
) -> None:
    # Given
    routes = _door(door, answer_bytes=4)

    # When
    with an_agent(routes, "kit", gives_image):
        answer = routes.post("resolution", BODY)

    # Then
    assert (answer.status, list(answer.body)) == (200, ["url"])
    async with ClientSession() as session, session.get(answer.body["url"]) as opened:
        assert (opened.status, await opened.read()) == (200, IMAGE)


def test_a_client_with_folders_has_its_results_there(door: FrontDoor) -> None:
    # Given
    client = Client("shop", prefixes=("shop/orders", "shop/other"), key_id=key_id(door))
    routes = _door(door, PATIENCE, client)

    # When
    with an_agent(routes, "kit", _gives_text) as taken:
        answer = routes.post("ocr", BODY)

    # Then
    assert answer.status == 200
    assert taken[0]["metadata"]["prefix"] == "shop/orders/sync"


def test_a_client_without_the_runtime_is_refused(door: FrontDoor) -> None:
    client = Client("shop", runtimes=("sdruntime",), key_id=key_id(door))

    answer = _door(door, PATIENCE, client).post("ocr", BODY)

    assert answer.status == 400
    assert "must be one of 'sdruntime'" in answer.body["errors"][0]["problem"]


@pytest.mark.parametrize("route", ROUTES)
def test_without_the_setting_there_are_no_such_routes(door: FrontDoor, route: str) -> None:
    assert door.post(route, BODY).status == 404


def test_only_post_is_answered(routes: FrontDoor) -> None:
    assert routes.post("ocr", BODY, httpMethod="GET").status == 405
