"""The synchronous routes: a task each, and its result as the answer. What the agent would store is stored here."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession

from contract.clients import Client, Clients
from contract.image_kit import ROUTES
from contract.object_keys import ObjectKeys
from frontend_lambda import sync
from frontend_lambda.handler import make_handler
from frontend_lambda.sync import SyncTimings

from .conftest import FrontDoor

PATIENCE = 30.0
BODY = {"img": base64.b64encode(b"image").decode()}
IMAGE = b"a result"
LINES = [{"words": "一", "location": {"top": 1, "left": 2, "width": 3, "height": 4}, "score": 0.9}]


def _door(door: FrontDoor, total: float = PATIENCE, *clients: Client) -> FrontDoor:
    """The same place with synchronous routes."""
    settings = replace(door.settings, sync_image_kit="kit", clients=Clients(clients))
    timings = SyncTimings(total=total, pauses=(0.05,))
    return replace(door, settings=settings, handler=make_handler(settings, door.session, sync_timings=timings))


@pytest.fixture
def routes(door: FrontDoor) -> FrontDoor:
    return _door(door)


Outcome = Callable[[FrontDoor, ObjectKeys, dict[str, Any]], dict[str, Any]]
"""Stores what a run gave; returns the rest of the record."""


def _gives_image(door: FrontDoor, keys: ObjectKeys, callback: dict[str, Any]) -> dict[str, Any]:
    key = keys.image_key(1, "png")
    door.s3.put_object(Bucket=keys.bucket, Key=key, Body=IMAGE, ContentType="image/png")
    callback["image_url"] = [keys.url(key)]
    return {"result": keys.url(key)}


def _gives_text(door: FrontDoor, keys: ObjectKeys, callback: dict[str, Any]) -> dict[str, Any]:
    callback["image_url"] = [keys.url(keys.image_key(1, "json"))]
    return {"result": LINES}


def _fails(type_: str, message: str) -> Outcome:
    def fail(door: FrontDoor, keys: ObjectKeys, callback: dict[str, Any]) -> dict[str, Any]:
        callback |= {"result": False, "status": "failed", "error": {"type": type_, "message": message}}
        return {}

    return fail


@contextmanager
def _an_agent(door: FrontDoor, outcome: Outcome) -> Iterator[list[dict[str, Any]]]:
    """Takes one task, as the agent does, and ends it. Yields the tasks that it took."""
    taken: list[dict[str, Any]] = []

    def work() -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            url = door.queues["kit"]
            answer = door.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
            for message in answer.get("Messages", ()):
                door.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                task = json.loads(message["Body"])["task"]
                request_id = message["MessageAttributes"]["request_id"]["StringValue"]
                metadata = task["metadata"]
                keys = ObjectKeys(
                    door.settings.output_bucket, metadata["prefix"], metadata["id"], "m", request_id=request_id
                )
                callback = {"id": metadata["id"], "result": True, "runtime": "kit", "status": "completed"}
                rest = outcome(door, keys, callback)
                record = json.dumps({**rest, "task": {"callback": callback}})
                taken.append(task)
                door.s3.put_object(Bucket=keys.bucket, Key=keys.record_key, Body=record)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=work)
    thread.start()
    yield taken
    thread.join(PATIENCE)


@pytest.mark.parametrize("route", ROUTES)
def test_a_request_is_a_task_and_its_result_the_answer(routes: FrontDoor, route: str) -> None:
    # When
    with _an_agent(routes, _gives_text if "ocr" in route else _gives_image) as taken:
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
    with _an_agent(routes, _fails(cause, "the cause")):
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
    routes: FrontDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(sync, "MAX_ANSWER_BYTES", 4)

    # When
    with _an_agent(routes, _gives_image):
        answer = routes.post("resolution", BODY)

    # Then
    assert (answer.status, list(answer.body)) == (200, ["url"])
    async with ClientSession() as session, session.get(answer.body["url"]) as opened:
        assert (opened.status, await opened.read()) == (200, IMAGE)


def test_a_client_with_folders_has_its_results_there(door: FrontDoor) -> None:
    # Given
    client = Client("shop", prefixes=("shop/orders", "shop/other"), key_id=_key_id(door))
    routes = _door(door, PATIENCE, client)

    # When
    with _an_agent(routes, _gives_text) as taken:
        answer = routes.post("ocr", BODY)

    # Then
    assert answer.status == 200
    assert taken[0]["metadata"]["prefix"] == "shop/orders/sync"


def test_a_client_without_the_runtime_is_refused(door: FrontDoor) -> None:
    client = Client("shop", runtimes=("sdruntime",), key_id=_key_id(door))

    answer = _door(door, PATIENCE, client).post("ocr", BODY)

    assert answer.status == 400
    assert "must be one of 'sdruntime'" in answer.body["errors"][0]["problem"]


@pytest.mark.parametrize("route", ROUTES)
def test_without_the_setting_there_are_no_such_routes(door: FrontDoor, route: str) -> None:
    assert door.post(route, BODY).status == 404


def test_only_post_is_answered(routes: FrontDoor) -> None:
    assert routes.post("ocr", BODY, httpMethod="GET").status == 405


def _key_id(door: FrontDoor) -> str:
    """That of the key in the events."""
    return str(door.event("ocr", "")["requestContext"]["identity"]["apiKeyId"])
