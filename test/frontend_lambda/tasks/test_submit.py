"""``POST /v1alpha2/tasks``: what is accepted, and what is refused."""

import uuid
from typing import Any

import pytest

from test.frontend_lambda.tasks.conftest import Api, new_id, request
from test.frontend_lambda.unreliable import PASS, Turn, unreliable


def test_a_task_is_accepted_recorded_and_queued(api: Api) -> None:
    # When
    task_id = new_id()
    options = {"deadline": 600, "labels": {"order": "4711"}, "webhook": {"url": "https://example.com/hook"}}
    reply = api.submit(task_id, options=options)

    # Then the answer is the Task
    assert reply.status == 202
    assert reply.headers["Location"] == f"https://api.example.com/dev/v1alpha2/tasks/{task_id}"
    assert reply.body["id"] == task_id
    assert (reply.body["status"], reply.body["revision"], reply.body["attempt"]) == ("queued", 1, 0)
    assert reply.body["labels"] == {"order": "4711"}
    assert reply.body["webhook"] == {"state": "pending", "tries": 0, "last_status": None}
    assert reply.body["urls"]["self"] == reply.headers["Location"]
    assert int(reply.headers["Retry-After"]) > 0

    # And its message carries what its agent has to know
    [message] = api.door.received("sdruntime")
    item = api.item(task_id)
    assert item is not None
    assert message.request_id == item.request
    assert message.client == "default"
    assert message.attributes == {"runtime": "sdruntime", "deadline": str(item.deadline), "webhook": "ended"}
    assert message.body["task"]["metadata"]["id"] == task_id


def test_the_item_holds_neither_prompt_nor_context(api: Api) -> None:
    task_id = new_id()
    api.submit(task_id, content={"prompt": "very private"}, context={"user": "private too"})

    item = api.item(task_id)
    assert item is not None
    assert "private" not in item.model_dump_json()


def test_a_task_without_an_id_gets_one(api: Api) -> None:
    reply = api.submit()

    assert reply.status == 202
    assert uuid.UUID(reply.body["id"])
    assert api.item(reply.body["id"]) is not None


def test_a_publish_that_is_refused_leaves_no_task(api: Api) -> None:
    # Given a topic that is not there
    broken = api.having(input_topic_arn=f"{api.door.settings.input_topic_arn}-gone")
    task_id = new_id()

    # When
    reply = broken.submit(task_id)

    # Then
    assert (reply.status, reply.body["type"]) == (503, "urn:problem-type:unavailable")
    assert api.item(task_id) is None
    # And the request can be sent again
    assert api.submit(task_id).status == 202


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ([], ["options"]),
        ({"deadlines": 5}, ["options.deadlines"]),
        ({"deadline": 0}, ["options.deadline"]),
        ({"deadline": 1.5}, ["options.deadline"]),
        ({"deadline": True}, ["options.deadline"]),
        ({"deadline": 14 * 86400 + 1}, ["options.deadline"]),
        ({"labels": []}, ["options.labels"]),
        ({"labels": {str(n): "x" for n in range(17)}}, ["options.labels"]),
        ({"labels": {"a b": "x"}}, ["options.labels.a b"]),
        ({"labels": {"a": 1}}, ["options.labels.a"]),
        ({"labels": {"a": "x" * 257}}, ["options.labels.a"]),
        ({"webhook": "https://example.com"}, ["options.webhook"]),
        ({"webhook": {}}, ["options.webhook.url"]),
        ({"webhook": {"url": "http://example.com"}}, ["options.webhook.url"]),
        ({"webhook": {"url": "https://10.0.0.1/"}}, ["options.webhook.url"]),
        ({"webhook": {"url": "https://example.com", "events": ["never"]}}, ["options.webhook.events"]),
        ({"webhook": {"url": "https://example.com", "secret": "s"}}, ["options.webhook.secret"]),
    ],
)
def test_wrong_options_are_refused_by_name(options: Any, fields: list[str], api: Api) -> None:
    task_id = new_id()

    reply = api.submit(task_id, options=options)

    assert (reply.status, reply.fields) == (400, fields)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert (reply.body["type"], reply.body["status"]) == ("urn:problem-type:invalid-request", 400)
    assert reply.body["message"] == reply.body["detail"]
    assert api.item(task_id) is None
    assert api.door.received_anywhere() == {}


def test_everything_that_is_wrong_is_named_at_once(api: Api) -> None:
    reply = api.submit("a b", runtime="none", options={"deadline": 0}, more=1)

    assert reply.status == 400
    assert set(reply.fields) == {
        "task.metadata.id",
        "task.metadata.runtime",
        "task.metadata.more",
        "options.deadline",
    }


@pytest.mark.parametrize("body", [None, [], "text", {"task": []}, {"task": {"metadata": []}}])
def test_a_body_that_is_no_request_is_refused(body: Any, api: Api) -> None:
    reply = api.call("POST", "/v1alpha2/tasks", body)

    assert reply.status == 400
    assert reply.headers["Content-Type"] == "application/problem+json"


def test_without_the_table_nothing_is_accepted(api: Api) -> None:
    # Given
    broken = api.having(tasks_table="nosuch")

    # When
    reply = broken.submit(new_id())

    # Then
    assert (reply.status, reply.body["type"]) == (503, "urn:problem-type:unavailable")
    assert int(reply.headers["Retry-After"]) > 0
    assert "nosuch" not in reply.body["message"]
    assert api.door.received_anywhere() == {}


def test_several_tasks_are_answered_one_by_one(api: Api) -> None:
    # Given a good one, one that is wrong, one without an id, and the first one again
    first = new_id()
    api.submit(first)
    bodies = [request(first), request(new_id(), runtime="none"), request(), request(first, prefix="other")]

    # When
    reply = api.call("POST", "/v1alpha2/tasks", {"tasks": bodies})

    # Then
    assert reply.status == 200
    assert [result["status"] for result in reply.body["results"]] == [200, 400, 202, 422]
    assert [result["task"] is None for result in reply.body["results"]] == [False, True, False, True]
    assert reply.body["results"][1]["error"]["errors"][0]["field"] == "task.metadata.runtime"
    assert len({message.request_id for message in api.door.received("sdruntime")}) == 2


def test_each_of_a_hundred_tasks_is_one_of_its_own(api: Api) -> None:
    ids = [new_id() for _ in range(100)]

    reply = api.call("POST", "/v1alpha2/tasks", {"tasks": [request(task_id) for task_id in ids]})

    assert [result["task"]["id"] for result in reply.body["results"]] == ids
    messages = api.door.received("sdruntime")
    assert len({message.request_id for message in messages}) == len(messages) == 100


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tasks": []}, "tasks"),
        ({"tasks": {}}, "tasks"),
        ({"tasks": [request()] * 101}, "tasks"),
        ({"tasks": [request()], "options": {}}, "options"),
    ],
)
def test_an_array_that_is_none_is_refused_whole(body: Any, field: str, api: Api) -> None:
    reply = api.call("POST", "/v1alpha2/tasks", body)

    assert (reply.status, reply.fields) == (400, [field])
    assert api.door.received_anywhere() == {}


def test_a_throttled_table_is_tried_again(api: Api) -> None:
    with unreliable(api.door.settings.endpoint_url, "dynamodb") as proxy:
        busy = api.having(endpoint_url=proxy.endpoint)
        proxy.plan[:] = [PASS, Turn(503, "ServiceUnavailable")]

        assert busy.submit(new_id()).status == 202
        assert proxy.plan == []
