"""Each write of a task's life, against DynamoDB as moto has it."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from contract.callback import Cause
from contract.runtimes import TaskType
from contract.task_table import keys, writes
from contract.task_table.item import MAX_MESSAGE_LENGTH, MAX_OUTPUTS, Output, State, TaskItem, timestamp
from contract.task_table.writes import Ending, Origin, Refusal, refusal, refusal_in
from test.support.moto_server import running_moto
from utils.local.cloud import table_definition

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = 1_800_000_000.0
ORIGIN = Origin(
    client="shop",
    id="t1",
    request="request-1",
    runtime="r",
    tasktype="text-to-image",
    prefix="out",
    created=NOW,
    ttl=int(NOW) + 86_400,
)
ITEM = TaskItem(
    client="shop",
    id="t1",
    request="request-1",
    status=State.QUEUED,
    runtime="r",
    tasktype=TaskType.TEXT_TO_IMAGE,
    prefix="out",
    created=timestamp(NOW),
    fingerprint="f",
)
DONE = Ending(status=State.COMPLETED, attempt=1, gpu_seconds=0.6, usd=0.000083, record="out/t1/t1-abc.out")


@dataclass
class Table:
    """One table, and its writes by their names."""

    client: "DynamoDBClient"
    name: str

    def put(self, item: TaskItem, *, replace: bool = False) -> None:
        self.client.put_item(**writes.put(self.name, item, replace=replace))

    def claim(self, run: str = "run-1", origin: Origin = ORIGIN, attempt: int = 1) -> None:
        self.client.update_item(**writes.claim(self.name, origin, run=run, attempt=attempt, now=NOW))

    def beat(self, run: str = "run-1", progress: float | None = 0.5) -> dict[str, Any]:
        request = writes.beat(self.name, ORIGIN, run=run, now=NOW, progress=progress)
        return dict(self.client.update_item(**request)["Attributes"])

    def requeue(self, run: str = "run-1") -> None:
        self.client.update_item(**writes.requeue(self.name, ORIGIN, run=run))

    def end(self, ending: Ending = DONE, origin: Origin = ORIGIN) -> None:
        self.client.update_item(**writes.end(self.name, origin, ending, now=NOW))

    def cancel_queued(self) -> None:
        self.client.update_item(**writes.cancel_queued(self.name, "shop", "t1", now=NOW))

    def cancel_running(self) -> None:
        self.client.update_item(**writes.cancel_running(self.name, "shop", "t1", now=NOW))

    def expire(self, now: float) -> None:
        self.client.update_item(**writes.expire(self.name, "shop", "t1", now=now))

    def withdraw(self, item: TaskItem) -> None:
        self.client.delete_item(**writes.withdraw(self.name, item))

    def look(self) -> Refusal | None:
        return refusal_in(self.client.get_item(**writes.look(self.name, "shop", "t1")).get("Item"), "request-1")

    @property
    def item(self) -> TaskItem:
        answer = self.client.get_item(TableName=self.name, Key=keys.task_key("shop", "t1"))
        return TaskItem.from_values(answer["Item"])


@pytest.fixture(scope="module")
def client() -> "Iterator[DynamoDBClient]":
    with running_moto() as url:
        yield boto3.client(
            "dynamodb",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@pytest.fixture
def table(client: "DynamoDBClient") -> Table:
    name = f"table-{time.time_ns()}"
    client.create_table(**table_definition(name))
    return Table(client, name)


def refused(write: Callable[[], Any]) -> Refusal:
    """Why the write is refused, as the item in the error says."""
    with pytest.raises(ClientError) as caught:
        write()
    assert caught.value.response["Error"]["Code"] == writes.CONDITION_FAILED
    return refusal(caught.value.response.get("Item"), "request-1")  # type: ignore[arg-type]  # the stubs do not know it


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


def test_a_task_that_waits_is_canceled_at_once_and_is_not_claimed(table: Table) -> None:
    table.put(ITEM)
    table.cancel_queued()
    assert table.item.status is State.CANCELED
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
    assert table.item.status is State.EXPIRED
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
