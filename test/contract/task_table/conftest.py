"""A task table of moto, its writes by their names, and one task for them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from contract.runtimes import TaskType
from contract.task_table import keys, writes
from contract.task_table.item import State, TaskItem, timestamp
from contract.task_table.writes import Ending, Origin, Refusal, refusal, refusal_in
from test.support.moto_server import running_moto
from utils.local.cloud import table_definition

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


NOW = 1_800_000_000.0
TTL = int(NOW) + 2 * 86_400

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
        self.client.update_item(**writes.cancel_queued(self.name, "shop", "t1", now=NOW, ttl=TTL))

    def cancel_running(self) -> None:
        self.client.update_item(**writes.cancel_running(self.name, "shop", "t1", now=NOW))

    def expire(self, now: float) -> None:
        self.client.update_item(**writes.expire(self.name, "shop", "t1", now=now, ttl=TTL))

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
