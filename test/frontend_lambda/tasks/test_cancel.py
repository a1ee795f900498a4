"""``POST /v1alpha2/tasks/{id}/cancel``"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from contract.task_table import writes
from contract.task_table.item import State, timestamp
from contract.task_table.writes import Ending
from test.frontend_lambda.tasks.conftest import Api, new_id

DAY = 86_400


def cancel(api: Api, task_id: str) -> Any:
    return api.call("POST", f"/v1alpha2/tasks/{task_id}/cancel")


def test_a_task_that_waits_is_over_at_once(api: Api) -> None:
    task_id = new_id()
    api.submit(task_id)

    first, again = (cancel(api, task_id) for _ in range(2))

    assert (first.status, first.body["status"]) == (200, "canceled")
    assert first.body["ended"]
    assert (again.status, again.body["revision"]) == (200, first.body["revision"])
    # And no agent may run it
    with pytest.raises(api.dynamodb.exceptions.ConditionalCheckFailedException):
        api.runs(task_id)


@pytest.mark.parametrize(("retention", "days"), [(30 * DAY, 30), (DAY, 14)], ids=["long", "short"])
def test_its_record_is_kept_as_long_as_any_and_as_its_message_may_live(retention: int, days: int, api: Api) -> None:
    """Without the item an agent that gets the message later would run the task."""
    task_id = new_id()
    keeping = api.having(task_retention=retention)
    created = time.time()
    keeping.submit(task_id)

    canceled = cancel(keeping, task_id)

    item = keeping.item(task_id)
    assert item is not None
    assert item.ttl is not None
    assert item.ttl == pytest.approx(created + days * DAY, abs=3600)
    assert canceled.body["expires"] == timestamp(item.ttl)


def test_a_task_that_runs_is_asked_to_stop(api: Api) -> None:
    task_id = new_id()
    api.submit(task_id)
    api.runs(task_id)

    first, again = (cancel(api, task_id) for _ in range(2))

    assert (first.status, first.body["status"]) == (202, "running")
    assert first.body["cancel_requested"]
    assert (again.status, again.body["revision"]) == (202, first.body["revision"])


def test_a_task_that_has_ended_stays_as_it_is(api: Api) -> None:
    task_id = new_id()
    api.submit(task_id)
    api.runs(task_id)
    api.ends(task_id, Ending(status=State.COMPLETED))

    reply = cancel(api, task_id)

    assert (reply.status, reply.body["status"], reply.body["cancel_requested"]) == (200, "completed", None)


def test_a_task_that_is_not_there_cannot_be_canceled(api: Api) -> None:
    task_id = new_id()

    assert cancel(api, task_id).status == 404
    assert api.item(task_id) is None


def test_without_the_table_a_cancel_is_503(api: Api) -> None:
    assert cancel(api.having(tasks_table="nosuch"), new_id()).status == 503


@pytest.mark.slow
def test_a_cancel_that_races_a_run_stops_it_or_comes_before_it(api: Api) -> None:
    def race(number: int) -> None:
        task_id = new_id()
        api.submit(task_id)
        origin = api.origin(task_id)
        with ThreadPoolExecutor(2) as pool:
            claim = pool.submit(
                lambda: api.dynamodb.update_item(**writes.claim(api.table, origin, run="r", attempt=1, now=2e9))
            )
            reply = pool.submit(cancel, api, task_id).result()
        item = api.item(task_id)
        assert item is not None
        if claim.exception() is None:
            assert (reply.status, item.status, bool(item.cancel)) == (202, State.RUNNING, True)
        else:
            assert (reply.status, item.status) == (200, State.CANCELED)

    for number in range(30):
        race(number)
