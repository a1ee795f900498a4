"""``GET /text-to-image?prompt=`` by a task of a runtime."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession

from contract.sync_routes import TextToImageRoute
from frontend_lambda.handler import make_handler
from frontend_lambda.sync.results import SyncLimits
from test.frontend_lambda.conftest import Answer, FrontDoor
from test.frontend_lambda.sync.agent import IMAGE, PATIENCE, an_agent, fails, gives_image

RUNTIME = "sdruntime"


def _door(door: FrontDoor, *, path: str = "text-to-image", total: float = PATIENCE) -> FrontDoor:
    """The same place with the route."""
    settings = replace(door.settings, sync_text_to_image=TextToImageRoute(path=path, runtime=RUNTIME))
    limits = SyncLimits(total=total, pauses=(0.05,))
    return replace(door, settings=settings, handler=make_handler(settings, door.session, sync_limits=limits))


def get(door: FrontDoor, path: str, query: Mapping[str, str] | None, **changes: Any) -> Answer:
    """Send the request with these query parameters."""
    return door.post(path, "", httpMethod="GET", queryStringParameters=query, **changes)


async def test_a_request_is_a_task_and_the_answer_a_link_that_opens_without_credentials(door: FrontDoor) -> None:
    # When
    with an_agent(door, RUNTIME, gives_image) as taken:
        answer = get(_door(door), "text-to-image", {"prompt": "cyborg_tiger"})

    # Then
    assert answer.status == 200
    assert (sorted(answer.body), answer.body["prompt"]) == (["prompt", "url"], "cyborg_tiger")
    async with ClientSession() as session, session.get(answer.body["url"]) as opened:
        assert (opened.status, await opened.read()) == (200, IMAGE)
    (task,) = taken
    assert task["content"] == {"prompt": "cyborg_tiger", "width": 512, "height": 512}
    assert (task["metadata"]["tasktype"], task["metadata"]["prefix"]) == ("text-to-image", "sync")


def test_every_parameter_reaches_the_task(door: FrontDoor) -> None:
    # Given
    query = {
        "prompt": "一只猫",
        "width": "768",
        "height": "640",
        "negative_prompt": "blurry",
        "seed": "4294967295",
        "other": "1",
    }

    # When
    with an_agent(door, RUNTIME, gives_image) as taken:
        answer = get(_door(door, path="route"), "route", query)

    # Then
    assert (answer.status, answer.body["prompt"]) == (200, "一只猫")
    assert taken[0]["content"] == {
        "prompt": "一只猫",
        "width": 768,
        "height": 640,
        "negative_prompt": "blurry",
        "seed": 4294967295,
    }


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        (None, ["prompt"]),
        ({}, ["prompt"]),
        ({"prompt": " "}, ["prompt"]),
        ({"prompt": "a", "width": "500", "height": "4096"}, ["width", "height"]),
        ({"prompt": "a", "width": "wide"}, ["width"]),
        ({"prompt": "a", "width": "५१२"}, ["width"]),
        ({"prompt": "a", "seed": "-2"}, ["seed"]),
        ({"prompt": "a", "seed": "1.5"}, ["seed"]),
        ({"prompt": "a", "seed": "9" * 5000}, ["seed"]),
    ],
)
def test_a_wrong_request_is_refused_before_there_is_a_task(
    door: FrontDoor, query: Mapping[str, str] | None, fields: list[str]
) -> None:
    answer = get(_door(door), "text-to-image", query)

    assert (answer.status, answer.body["message"]) == (400, "invalid param")
    assert answer.fields == fields
    assert door.received_anywhere() == {}


def test_what_the_policy_forbids_is_refused_by_its_own_field(door: FrontDoor) -> None:
    # Given
    catalog = door.settings.catalog
    runtimes = [
        replace(one, task_policy=one.task_policy.model_copy(update={"max_pixels": 512 * 512}))
        for one in catalog.runtimes
    ]
    strict = replace(door, settings=replace(door.settings, catalog=replace(catalog, runtimes=tuple(runtimes))))

    # When
    answer = get(_door(strict), "text-to-image", {"prompt": "a", "width": "1024"})

    # Then
    assert (answer.status, answer.body["message"]) == (400, "invalid param")
    assert "taskPolicy.maxPixels" in answer.body["errors"][0]["problem"]
    assert not answer.fields[0].startswith("task.")


def test_a_task_that_has_not_ended_in_time_is_202_with_its_place(door: FrontDoor) -> None:
    # When
    answer = get(_door(door, total=0.2), "text-to-image", {"prompt": "a"})

    # Then
    (message,) = door.received(RUNTIME)
    task_id = message.body["task"]["metadata"]["id"]
    place = f"s3://{door.settings.output_bucket}/sync/{task_id}"
    assert answer.status == 202
    assert answer.body == {"id_task": task_id, "runtime": RUNTIME, "output_location": place}


@pytest.mark.parametrize(("cause", "status"), [("invalid-request", 400), ("out-of-memory", 502)])
def test_a_task_that_fails_is_answered_with_its_cause(door: FrontDoor, cause: str, status: int) -> None:
    with an_agent(door, RUNTIME, fails(cause, "the cause")):
        answer = get(_door(door), "text-to-image", {"prompt": "a"})

    assert answer.status == status
    assert "the cause" in str(answer.body)


def test_only_get_is_answered(door: FrontDoor) -> None:
    assert _door(door).post("text-to-image", {"prompt": "a"}).status == 405


def test_without_the_setting_there_is_no_such_route(door: FrontDoor) -> None:
    assert get(door, "text-to-image", {"prompt": "a"}).status == 404
