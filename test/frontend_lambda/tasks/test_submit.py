"""``POST /v1alpha2/tasks``: what is accepted, what is a repeat, and what is refused."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from contract.callback import Cause
from contract.task_table import writes
from contract.task_table.item import State
from contract.task_table.writes import Ending
from frontend_lambda.sender import Timings
from frontend_lambda.tasks.timings import TaskTimings
from test.frontend_lambda.tasks.conftest import Api, new_id, request
from test.frontend_lambda.unreliable import LOSE, PASS, Turn, unreliable

HASTY = Timings(connect=0.5, read=0.5, patient_read=0.5, total=5, pauses=(0.01,))


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


@pytest.mark.parametrize("written", ["{}", '"{}"'])
def test_an_idempotency_key_is_the_id_of_a_task_that_has_none(written: str, api: Api) -> None:
    key = new_id()
    headers = {"idempotency-key": written.format(key)}

    first, second = (api.submit(headers=headers) for _ in range(2))

    assert (first.status, first.body["id"]) == (202, key)
    assert (second.status, second.body["id"]) == (200, key)
    assert len(api.door.received("sdruntime")) == 1


def test_an_idempotency_key_that_is_no_id_is_refused(api: Api) -> None:
    reply = api.submit(headers={"Idempotency-Key": "a b"})

    assert (reply.status, reply.fields) == (400, ["task.metadata.id"])


def test_the_same_body_again_is_the_same_task(api: Api) -> None:
    task_id = new_id()
    api.submit(task_id)

    # When the body comes again, its keys in another order
    body = request(task_id)
    body["task"] = dict(reversed(body["task"].items()))
    again = api.call("POST", "/v1alpha2/tasks", body)

    assert (again.status, again.body["id"], again.body["revision"]) == (200, task_id, 1)
    assert len(api.door.received("sdruntime")) == 1


@pytest.mark.parametrize(
    "changes",
    [{"content": {"prompt": "a harbour"}}, {"options": {"labels": {"order": "1"}}}, {"prefix": "elsewhere"}],
    ids=["content", "options", "metadata"],
)
def test_another_body_with_the_same_id_is_refused(changes: dict[str, Any], api: Api) -> None:
    task_id = new_id()
    api.submit(task_id)

    reply = api.submit(task_id, **changes)

    assert (reply.status, reply.body["type"]) == (422, "urn:problem-type:id-in-use")
    assert len(api.door.received("sdruntime")) == 1


def test_the_id_of_a_task_of_the_older_routes_is_in_use(api: Api) -> None:
    task_id = new_id()
    api.door.post("v1alpha2", request(task_id))

    assert api.submit(task_id).status == 422
    assert len(api.door.received("sdruntime")) == 1


def test_a_repeat_shows_how_the_task_ended(api: Api) -> None:
    task_id = new_id()
    api.submit(task_id)
    api.runs(task_id)
    api.ends(task_id, Ending(status=State.FAILED, error=Cause(type="link", message="gone"), attempt=1))

    reply = api.submit(task_id)

    assert (reply.status, reply.body["status"]) == (200, "failed")
    assert reply.body["error"] == {"type": "link", "message": "gone", "retryable": False}
    assert "Retry-After" not in reply.headers


@pytest.mark.slow
def test_a_thousand_equal_requests_at_once_are_one_task(api: Api) -> None:
    # Given, however long they take, none that is so late that the task is published again
    patient = api.having(timings=TaskTimings(poll=0.05, republish=3600.0))
    task_id, count = new_id(), 1000
    together = threading.Barrier(32)

    def post(number: int) -> int:
        if number < together.parties:
            together.wait(30)
        # As clients do: on a slow machine the table may take longer than its time limit.
        return next(status for _ in range(20) if (status := patient.submit(task_id).status) != 503)

    # When
    with ThreadPoolExecutor(together.parties) as pool:
        statuses = list(pool.map(post, range(count)))

    # Then
    assert sorted(statuses) == [200] * (count - 1) + [202]
    assert len(api.door.received("sdruntime")) == 1


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


def test_a_publish_that_nobody_knows_of_is_repeated_by_the_same_request(api: Api) -> None:
    # Given an SNS whose answers are lost, while the table answers
    task_id = new_id()
    with unreliable(api.door.settings.endpoint_url, "sns") as proxy:
        lossy = api.having(sender=HASTY, endpoint_url=proxy.endpoint)
        proxy.plan[:] = [LOSE, LOSE]

        # When
        assert lossy.submit(task_id).status == 503
        item = api.item(task_id)
        again = lossy.submit(task_id)

    # Then both published one task
    assert item is not None
    assert (again.status, again.body["status"]) == (200, "queued")
    messages = api.door.received("sdruntime")
    assert len(messages) == 3
    assert {message.request_id for message in messages} == {item.request}
    assert sum("repeat" in message.attributes for message in messages) == 2


def test_a_task_that_waits_long_is_published_again_by_a_repeat(api: Api) -> None:
    """A front door may have ended between the table and SNS."""
    # Given a task of which no message is known
    eager = api.having(timings=TaskTimings(poll=0.05, republish=0.0))
    task_id = new_id()
    eager.submit(task_id)
    [first] = api.door.received("sdruntime")

    # When
    assert eager.submit(task_id).status == 200

    # Then the repeat is marked, and is the same task
    [second] = api.door.received("sdruntime")
    assert second.request_id == first.request_id
    assert "repeat" in second.attributes
    assert "repeat" not in first.attributes


def test_a_repeat_that_comes_soon_publishes_nothing(api: Api) -> None:
    task_id = new_id()
    api.submit(task_id)
    api.door.received("sdruntime")

    assert [api.submit(task_id).status for _ in range(3)] == [200] * 3
    assert api.door.received_anywhere() == {}


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


def test_a_put_whose_answer_is_lost_is_no_repeat(api: Api) -> None:
    """The SDK sends it again, and finds its own item there."""
    task_id = new_id()
    with unreliable(api.door.settings.endpoint_url, "dynamodb") as proxy:
        lossy = api.having(endpoint_url=proxy.endpoint)
        proxy.plan[:] = [PASS, LOSE]  # the pods are read, and the task is put

        reply = lossy.submit(task_id)

    assert reply.status == 202
    assert proxy.plan == []
    assert {message.body["task"]["metadata"]["id"] for message in api.door.received("sdruntime")} >= {task_id}


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
    assert len(api.door.received("sdruntime")) == 2


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


def test_an_idempotency_key_is_not_for_several_tasks(api: Api) -> None:
    reply = api.call("POST", "/v1alpha2/tasks", {"tasks": [request()]}, {"Idempotency-Key": new_id()})

    assert (reply.status, reply.fields) == (400, ["Idempotency-Key"])


def test_a_throttled_table_is_tried_again(api: Api) -> None:
    with unreliable(api.door.settings.endpoint_url, "dynamodb") as proxy:
        busy = api.having(endpoint_url=proxy.endpoint)
        proxy.plan[:] = [PASS, Turn(503, "ServiceUnavailable")]

        assert busy.submit(new_id()).status == 202
        assert proxy.plan == []


def test_a_withdrawn_item_is_only_ones_own(api: Api) -> None:
    """What a later request put under the id stays."""
    task_id = new_id()
    api.submit(task_id)
    item = api.item(task_id)
    assert item is not None

    with pytest.raises(api.dynamodb.exceptions.ConditionalCheckFailedException):
        api.dynamodb.delete_item(**writes.withdraw(api.table, item.model_copy(update={"request": "other"})))
