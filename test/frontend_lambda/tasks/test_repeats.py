"""A repeated ``POST /v1alpha2/tasks``: the same request is the same task, another one with its id is refused."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from contract.callback import Cause
from contract.task_table import publishing, writes
from contract.task_table.item import SENDING, State
from contract.task_table.writes import Ending
from frontend_lambda.sender import Timings
from frontend_lambda.tasks.timings import TaskTimings
from test.frontend_lambda.tasks.conftest import Api, new_id, request
from test.frontend_lambda.unreliable import LOSE, PASS, Held, unreliable
from test.support.platform import until

PATIENT = Timings(connect=5, read=20, patient_read=20, total=24, pauses=())
HASTY = Timings(connect=0.5, read=0.5, patient_read=0.5, total=5, pauses=(0.01,))


@pytest.mark.parametrize("written", ["{}", '"{}"'])
def test_an_idempotency_key_is_the_id_of_a_task_that_has_none(written: str, api: Api) -> None:
    key = new_id()
    headers = {"idempotency-key": written.format(key)}

    first, second = (api.submit(headers=headers) for _ in range(2))

    assert (first.status, first.body["id"]) == (202, key)
    assert (second.status, second.body["id"]) == (200, key)
    assert len({message.request_id for message in api.door.received("sdruntime")}) == 1


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
    assert len({message.request_id for message in api.door.received("sdruntime")}) == 1


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
    # Given
    task_id, count = new_id(), 1000
    together = threading.Barrier(32)

    def post(number: int) -> int:
        if number < together.parties:
            together.wait(30)
        # As clients do: on a slow machine the table may take longer than its time limit.
        return next(status for _ in range(20) if (status := api.submit(task_id).status) != 503)

    # When
    with ThreadPoolExecutor(together.parties) as pool:
        statuses = list(pool.map(post, range(count)))

    # Then
    assert sorted(statuses) == [200] * (count - 1) + [202]
    messages = api.door.received("sdruntime")
    assert len({message.request_id for message in messages}) == 1
    assert sum(not message.repeat for message in messages) == 1


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
    assert sum(message.repeat for message in messages) == 2


def test_the_first_repeat_of_a_task_that_waits_publishes_it_and_later_ones_do_not(api: Api) -> None:
    """A front door may have ended between the table and SNS."""
    # Given a task of which no message is known
    task_id = new_id()
    api.submit(task_id)
    [first] = api.door.received("sdruntime")

    # When
    assert [api.submit(task_id).status for _ in range(3)] == [200] * 3

    # Then the repeat is marked, and is the same task
    [second] = api.door.received("sdruntime")
    assert second.request_id == first.request_id
    assert second.repeat
    assert not first.repeat


def test_a_repeat_of_a_task_that_runs_publishes_nothing(api: Api) -> None:
    task_id = new_id()
    api.submit(task_id)
    api.runs(task_id)
    api.door.received("sdruntime")

    assert api.submit(task_id).status == 200
    assert api.door.received_anywhere() == {}


def test_a_repeat_waits_for_another_that_publishes(api: Api) -> None:
    # Given a repeat that is at it
    task_id, held = new_id(), Held(503, "ServiceUnavailable")
    api.submit(task_id)
    with unreliable(api.door.settings.endpoint_url, "sns") as proxy, ThreadPoolExecutor(2) as pool:
        proxy.plan[:] = [held]
        first = pool.submit(api.having(sender=PATIENT, endpoint_url=proxy.endpoint).submit, task_id)
        until(lambda: proxy.calls)

        # When
        second = pool.submit(api.submit, task_id)
        until(lambda: api.item(task_id).republished == SENDING)  # type: ignore[union-attr]
        api.door.received("sdruntime")
        held.released.set()

        # Then it takes over, since the other one has failed
        assert (first.result(60).status, second.result(60).status) == (503, 200)
    assert [message.repeat for message in api.door.received("sdruntime")] == [True]


@pytest.mark.parametrize(("age", "status"), [(0, 503), (7200, 200)], ids=["young", "old"])
def test_a_repeat_that_has_ended_is_taken_over_from_after_a_while(age: int, status: int, api: Api) -> None:
    task_id = new_id()
    api.submit(task_id)
    item = api.item(task_id)
    assert item is not None
    api.dynamodb.update_item(**publishing.take_over(api.table, item, published=(item.published or 0) + 1 - age))

    short = api.having(timings=TaskTimings(poll=0.05, total=0.2, republish=3600.0))

    assert short.submit(task_id).status == status


def test_a_repeat_beyond_the_deadline_finds_the_task_expired(api: Api) -> None:
    task_id, options = new_id(), {"deadline": 1}
    api.submit(task_id, options=options)
    api.door.received("sdruntime")
    time.sleep(2.1)

    again = api.submit(task_id, options=options)

    assert (again.status, again.body["status"]) == (200, "expired")
    assert api.door.received_anywhere() == {}


def test_a_repeat_takes_over_from_a_request_that_cannot_publish(api: Api) -> None:
    """A client that gave up on its first request and got 200 for the second one has a task, whatever becomes of the
    first request."""
    # Given a first request that SNS refuses, and a second one meanwhile, of which SNS takes the message
    task_id, refusal = new_id(), Held(403, "AuthorizationError")
    with unreliable(api.door.settings.endpoint_url, "sns") as proxy, ThreadPoolExecutor(1) as pool:
        proxy.plan[:] = [refusal]
        first = pool.submit(api.having(sender=PATIENT, endpoint_url=proxy.endpoint).submit, task_id)
        until(lambda: proxy.calls)

        # When
        second = api.submit(task_id)
        refusal.released.set()

        # Then
        assert first.result(60).status == 503
    assert (second.status, second.body["status"]) == (200, "queued")
    assert len(api.door.received("sdruntime")) == 1
    assert api.get(task_id).status == 200


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


def test_an_idempotency_key_is_not_for_several_tasks(api: Api) -> None:
    reply = api.call("POST", "/v1alpha2/tasks", {"tasks": [request()]}, {"Idempotency-Key": new_id()})

    assert (reply.status, reply.fields) == (400, ["Idempotency-Key"])


def test_a_withdrawn_item_is_only_ones_own(api: Api) -> None:
    """What a later request put under the id stays."""
    task_id = new_id()
    api.submit(task_id)
    item = api.item(task_id)
    assert item is not None

    with pytest.raises(api.dynamodb.exceptions.ConditionalCheckFailedException):
        api.dynamodb.delete_item(**writes.withdraw(api.table, item.model_copy(update={"request": "other"})))
