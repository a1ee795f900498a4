"""The older routes, whose callers and agents must see no difference: what they got before the task API is recorded."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contract.task_table import writes
from contract.task_table.item import TaskItem
from contract.task_table.keys import task_key
from contract.task_table.writes import Origin
from frontend_lambda.handler import make_handler

from .conftest import FrontDoor
from .unreliable import Late, unreliable

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "events" / "older_routes.json").read_text("utf-8")
)

RUNTIMES_THEN = {"sdruntime", "switching", "comfy", "invoke"}

BODY = {
    "task": {
        "metadata": {"id": "old-1", "runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "output"},
        "content": {"prompt": "a lighthouse"},
    }
}


@pytest.fixture
def dynamodb(door: FrontDoor) -> "DynamoDBClient":
    client = door.session.client("dynamodb", endpoint_url=door.settings.endpoint_url)
    client.delete_item(TableName=door.settings.tasks_table, Key=task_key("default", "old-1"))
    return client


def item(door: FrontDoor, dynamodb: "DynamoDBClient", task_id: str = "old-1") -> TaskItem | None:
    key = task_key("default", task_id)
    found = dynamodb.get_item(TableName=door.settings.tasks_table, Key=key, ConsistentRead=True).get("Item")
    return TaskItem.from_values(found) if found else None


@pytest.mark.parametrize("exchange", RECORDED, ids=lambda exchange: str(exchange["answer"]["body"])[:60])
def test_answers_and_messages_are_as_they_were(exchange: dict[str, Any], door: FrontDoor) -> None:
    # Given the runtimes of that time, which refusals name
    then = door.with_catalog(door.settings.catalog.only(RUNTIMES_THEN.__contains__))

    # When
    answer = then.handler(door.event(exchange["version"], json.dumps(exchange["request"])), None)

    # Then
    assert {"status": answer["statusCode"], "body": answer["body"]} == exchange["answer"]
    messages = [
        {"queue": queue, "body": json.dumps(message.body, separators=(",", ":")), "attributes": message.attributes}
        for queue, several in door.received_anywhere().items()
        for message in several
    ]
    assert messages == exchange["messages"]


@pytest.mark.parametrize("version", ["v1alpha1", "v1alpha2"])
def test_they_gain_the_tasks_address(version: str, door: FrontDoor) -> None:
    [exchange, *_] = [one for one in RECORDED if one["version"] == version and one["messages"]]
    event = door.event(version, json.dumps(exchange["request"]))
    context = {**event["requestContext"], "domainName": "api.example.com", "path": f"/dev/{version}"}

    answer = door.handler({**event, "requestContext": context}, None)

    assert answer["headers"]["Location"] == "https://api.example.com/dev/v1alpha2/tasks/my-1"


def test_an_id_may_be_used_again_and_the_newest_task_is_shown(door: FrontDoor, dynamodb: "DynamoDBClient") -> None:
    # Given a task that ran
    door.post("v1alpha2", BODY)
    first = item(door, dynamodb)
    assert first is not None
    origin = Origin(
        client="default",
        id="old-1",
        request=first.request,
        runtime="sdruntime",
        tasktype="text-to-image",
        prefix="output",
        created=0,
        ttl=0,
    )
    dynamodb.update_item(**writes.claim(door.settings.tasks_table, origin, run="r", attempt=1, now=1e9))

    # When
    context = {"requestContext": {"requestId": "1b8f7f5e-3c0e-4a55-9d7e-0c2f1a6b9d10"}}
    assert door.post("v1alpha2", BODY, **context).status == 200

    # Then
    second = item(door, dynamodb)
    assert second is not None
    assert (second.status, second.revision, second.fingerprint) == ("queued", 1, None)
    assert second.request != first.request
    assert len(door.received("sdruntime")) == 2


def test_a_task_of_the_newer_route_keeps_its_place(door: FrontDoor, dynamodb: "DynamoDBClient") -> None:
    # Given
    event = door.event("v1alpha2", json.dumps(BODY), resource="/v1alpha2/tasks")
    assert door.handler(event, None)["statusCode"] == 202

    # When
    answer = door.handler(door.event("v1alpha2", json.dumps(BODY)), None)

    # Then the older one runs, and is in no table
    assert answer["statusCode"] == 200
    assert "Location" not in answer["headers"]
    kept = item(door, dynamodb)
    assert kept is not None
    assert kept.fingerprint
    assert len(door.received("sdruntime")) == 2


def test_without_the_table_they_go_on_and_soon_stop_asking_for_it(door: FrontDoor) -> None:
    # Given a table that is not there
    settings = replace(door.settings, tasks_table="nosuch")
    broken = replace(door, handler=make_handler(settings, door.session))

    # When
    statuses = [broken.post("v1alpha2", BODY).status for _ in range(3)]

    # Then
    assert statuses == [200] * 3
    assert len(door.received("sdruntime")) == 3


def test_a_table_that_hangs_is_waited_for_once(door: FrontDoor) -> None:
    # Given
    with unreliable(door.settings.endpoint_url, "dynamodb") as proxy:
        settings = replace(door.settings, endpoint_url=proxy.endpoint)
        slow = replace(door, handler=make_handler(settings, door.session))
        proxy.plan[:] = [Late(5.0)]

        # When
        statuses = [slow.post("v1alpha2", BODY).status for _ in range(3)]

    # Then all were published, and one was tried to be put
    assert statuses == [200] * 3
    assert len(door.received("sdruntime")) == 3
    assert proxy.calls == 1


def test_a_task_that_was_not_published_is_not_shown(door: FrontDoor, dynamodb: "DynamoDBClient") -> None:
    settings = replace(door.settings, input_topic_arn=f"{door.settings.input_topic_arn}-gone")

    assert replace(door, handler=make_handler(settings, door.session)).post("v1alpha2", BODY).status == 503
    assert item(door, dynamodb) is None
