"""How a task ends in the table: canceled, expired or with a result, once, and nothing is written after it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contract.callback import Cause
from contract.task_table import writes
from contract.task_table.item import MAX_MESSAGE_LENGTH, MAX_OUTPUTS, Output, State, timestamp
from contract.task_table.writes import Ending, Refusal, refusal_in

from .conftest import ITEM, NOW, TTL, Table, refused


def test_a_task_that_waits_is_canceled_at_once_and_is_not_claimed(table: Table) -> None:
    table.put(ITEM)
    table.cancel_queued()
    assert (table.item.status, table.item.ttl) == (State.CANCELED, TTL)
    assert table.look() is Refusal.CANCELED
    assert refused(table.claim) is Refusal.CANCELED
    assert refused(table.end) is Refusal.CANCELED
    assert table.item.revision == 2


def test_a_task_that_runs_is_marked_which_its_next_beat_shows(table: Table) -> None:
    table.put(ITEM)
    table.claim()
    table.cancel_running()
    assert refusal_in(table.beat(), "request-1") is Refusal.CANCELED
    # When somebody asks again, then nothing changes
    with pytest.raises(ClientError, match=writes.CONDITION_FAILED):
        table.cancel_running()
    with pytest.raises(ClientError, match=writes.CONDITION_FAILED):
        table.cancel_queued()
    # When its agent dies, then no other one runs it
    assert refused(lambda: table.claim("run-2")) is Refusal.CANCELED
    table.end(Ending(status=State.CANCELED))
    assert (table.item.status, table.item.cancel) == (State.CANCELED, timestamp(NOW))


def test_a_result_that_is_there_beats_a_late_cancellation(table: Table) -> None:
    table.put(ITEM)
    table.claim()
    table.cancel_running()
    table.end()
    assert table.item.status is State.COMPLETED
    with pytest.raises(ClientError, match=writes.CONDITION_FAILED):
        table.cancel_running()


def test_only_a_task_that_waits_beyond_its_deadline_expires(table: Table) -> None:
    table.put(ITEM.model_copy(update={"deadline": int(NOW)}))
    with pytest.raises(ClientError, match=writes.CONDITION_FAILED):
        table.expire(NOW)
    table.expire(NOW + 1)
    assert (table.item.status, table.item.ttl) == (State.EXPIRED, TTL)
    assert refused(table.claim) is Refusal.EXPIRED


def test_a_task_without_a_deadline_never_expires(table: Table) -> None:
    table.put(ITEM)
    with pytest.raises(ClientError, match=writes.CONDITION_FAILED):
        table.expire(NOW + 1e6)


def test_nothing_is_written_after_the_end(table: Table) -> None:
    # Given a task that has ended
    table.put(ITEM)
    table.claim()
    table.end()
    ended = table.item
    # When anything late comes, then it is refused
    failed = Ending(status=State.FAILED, error=Cause(type="t", message="m"))
    late: list[Callable[[], Any]] = [
        table.claim,
        table.beat,
        table.requeue,
        table.end,
        lambda: table.end(failed),
        table.cancel_queued,
        table.cancel_running,
        lambda: table.expire(NOW + 1e9),
    ]
    assert {refused(write) for write in late} == {Refusal.ENDED}
    assert table.item == ended


def test_an_end_holds_what_a_task_came_to_within_bounds(table: Table) -> None:
    outputs = [Output(key=f"out/t1/{n}.png", type="image/png", size=n) for n in range(MAX_OUTPUTS + 3)]
    table.put(ITEM)
    cause = Cause(type="gave-up", message="x" * 5000)
    table.end(Ending(status=State.FAILED, attempt=3, outputs=outputs, error=cause, retryable=True))
    item = table.item
    assert (len(item.outputs), item.omitted_outputs, item.outputs[2]) == (MAX_OUTPUTS, 3, outputs[2])
    assert item.error is not None
    assert len(item.error.message) <= MAX_MESSAGE_LENGTH + 1
    assert (item.retryable, item.attempt) == (True, 3)


@pytest.mark.parametrize("round_", range(5))
def test_of_racing_ends_one_is_the_end(table: Table, round_: int) -> None:
    # Given a task that runs
    table.put(ITEM)
    table.claim()
    endings = [
        Ending(status=status, record=f"{number}")
        for number in range(4)
        for status in (State.COMPLETED, State.FAILED, State.CANCELED)
    ]

    def attempt(ending: Ending) -> bool:
        try:
            table.end(ending)
        except ClientError:
            return False
        return True

    # When many end it at once
    with ThreadPoolExecutor(len(endings)) as pool:
        won = list(pool.map(attempt, endings))
    # Then one of them did
    assert won.count(True) == 1
    assert table.item.record == endings[won.index(True)].record
