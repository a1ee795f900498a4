"""The writes of a task's life up to its end, against DynamoDB as moto has it."""

import pytest
from botocore.exceptions import ClientError

from contract.runtimes import TaskType
from contract.task_table import publishing, writes
from contract.task_table.item import State, timestamp
from contract.task_table.writes import Refusal

from .conftest import ITEM, NOW, Table, refused


def test_a_task_from_its_submission_to_its_end(table: Table) -> None:
    # Given a task that was accepted
    table.put(ITEM)
    assert table.item == ITEM
    # When it is claimed, beats and ends
    table.claim()
    running = table.item
    table.beat()
    beating = table.item
    table.end()
    ended = table.item
    # Then each step shows, with a revision of its own
    assert (running.status, running.run, running.attempt, running.started) == (
        State.RUNNING,
        "run-1",
        1,
        timestamp(NOW),
    )
    assert (beating.progress, beating.beat) == (0.5, timestamp(NOW))
    assert (ended.status, ended.ended, ended.gpu_seconds, ended.usd) == (
        State.COMPLETED,
        timestamp(NOW),
        0.6,
        0.000083,
    )
    assert (ended.record, ended.ttl) == ("out/t1/t1-abc.out", int(NOW) + 86_400)
    assert (ended.progress, ended.beat, ended.run) == (None, None, None)
    assert [item.revision for item in (ITEM, running, beating, ended)] == [1, 2, 3, 4]
    assert ended.fingerprint == "f"


def test_a_beat_without_progress_is_no_new_revision(table: Table) -> None:
    table.put(ITEM)
    table.claim()
    before = table.item.revision
    table.beat(progress=None)
    assert table.item.revision == before


def test_an_id_is_taken_once_on_the_new_route_and_again_on_the_older_ones(table: Table) -> None:
    # Given an id of an older route
    older = ITEM.model_copy(update={"fingerprint": None})
    table.put(older)
    # When it is used again there, then the newest wins
    newest = older.model_copy(update={"request": "request-2"})
    table.put(newest, replace=True)
    assert table.item == newest
    # When the new route is asked for the same id, then it is taken
    assert refused(lambda: table.put(ITEM)) is Refusal.ANOTHER


def test_an_item_of_the_new_route_is_not_overwritten_by_an_older_route(table: Table) -> None:
    table.put(ITEM)
    table.end()
    other = ITEM.model_copy(update={"request": "request-2", "fingerprint": None})
    assert refused(lambda: table.put(other, replace=True)) is Refusal.ENDED
    assert table.item.status is State.COMPLETED


def test_what_was_not_published_is_withdrawn_unless_it_goes_on(table: Table) -> None:
    table.put(ITEM)
    table.withdraw(ITEM)
    table.put(ITEM)
    table.claim()
    with pytest.raises(ClientError, match=writes.CONDITION_FAILED):
        table.withdraw(ITEM)
    assert table.item.status is State.RUNNING


def test_of_many_repeats_one_takes_over_also_from_the_first_request(table: Table) -> None:
    sent = ITEM.model_copy(update={"published": int(NOW)})
    table.put(sent)
    table.client.update_item(**publishing.take_over(table.name, sent, published=int(NOW) + 1))
    with pytest.raises(ClientError, match=writes.CONDITION_FAILED):
        table.client.update_item(**publishing.take_over(table.name, sent, published=int(NOW) + 1))
    with pytest.raises(ClientError, match=writes.CONDITION_FAILED):
        table.client.update_item(**publishing.unpublished(table.name, sent))
    with pytest.raises(ClientError, match=writes.CONDITION_FAILED):
        table.withdraw(sent)
    assert (table.item.published, table.item.republished) == (int(NOW) + 1, "sending")
    table.client.update_item(**publishing.confirm(table.name, table.item))
    assert (table.item.republished, table.item.revision) == ("sent", 1)


def test_a_claim_makes_the_item_that_the_front_door_could_not(table: Table) -> None:
    table.claim()
    item = table.item
    assert (item.status, item.request, item.created, item.runtime) == (
        State.RUNNING,
        "request-1",
        timestamp(NOW),
        "r",
    )
    assert item.revision == 1


def test_an_end_makes_it_too(table: Table) -> None:
    table.end()
    item = table.item
    assert (item.status, item.tasktype, item.prefix) == (State.COMPLETED, TaskType.TEXT_TO_IMAGE, "out")


def test_a_second_run_takes_over_and_the_first_one_cannot_speak_any_more(table: Table) -> None:
    # Given a run whose agent lost the message
    table.put(ITEM)
    table.claim("run-1")
    table.beat("run-1", 0.9)
    # When another agent claims the task
    table.claim("run-2", attempt=2)
    # Then its progress begins again, and the first run's words are refused
    assert (table.item.run, table.item.attempt, table.item.progress) == ("run-2", 2, None)
    for write in (lambda: table.beat("run-1", 0.95), lambda: table.requeue("run-1")):
        with pytest.raises(ClientError, match=writes.CONDITION_FAILED):
            write()
    assert table.item.status is State.RUNNING


def test_a_run_without_an_outcome_is_queued_again(table: Table) -> None:
    table.put(ITEM)
    table.claim()
    table.beat()
    table.requeue()
    item = table.item
    assert (item.status, item.retry, item.run, item.progress, item.started) == (State.QUEUED, True, None, None, None)
    # When it runs again, then it waits for no retry any more
    table.claim("run-2", attempt=2)
    assert (table.item.retry, table.item.attempt) == (False, 2)


def test_another_requests_item_is_left_alone(table: Table) -> None:
    # Given an id that another request has
    table.put(ITEM.model_copy(update={"request": "request-2"}))
    # When this request's agent speaks, then it is refused, and the item is as it was
    assert refused(table.claim) is Refusal.ANOTHER
    assert refused(table.end) is Refusal.ANOTHER
    assert table.look() is Refusal.ANOTHER
    assert table.item.status is State.QUEUED


def test_a_look_at_what_may_run_says_nothing(table: Table) -> None:
    assert table.look() is None
    table.put(ITEM)
    assert table.look() is None
    table.claim()
    assert table.look() is None
    table.end()
    assert table.look() is Refusal.ENDED
