"""The table of tasks, as the front door reads and writes it. Requests and conditions are the contract's."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from contract.task_table import pods, publishing, writes
from contract.task_table.item import TaskItem
from contract.task_table.keys import (
    BY_CLIENT,
    BY_CLIENT_PARTITION_KEY,
    BY_CLIENT_SORT_KEY,
    PARTITION_KEY,
    SORT_KEY,
    Key,
    task_key,
)
from contract.task_table.pods import PodItem
from contract.task_table.update import Request
from contract.task_table.values import to_value
from frontend_lambda.failures import CALL_FAILURES
from frontend_lambda.settings import Settings
from frontend_lambda.tasks.estimate import epoch
from frontend_lambda.tasks.options import MAX_DEADLINE

MAX_KEYS = 100
"""Of one BatchGetItem."""

BATCH_TRIES = 4
"""Of a batch whose keys DynamoDB leaves out when it is busy; the SDK does not ask for them again by itself."""

CONNECTIONS = 64
"""Requests of one process at once: in Lambda there is one, on one machine as many as the gateway has threads."""


@dataclass(frozen=True, slots=True)
class TableTimings:
    """Seconds of a call, and how often it is tried: the older routes go on without the table, and should not wait long
    for it."""

    connect: float = 1.0
    read: float = 2.0
    tries: int = 3
    hasty_connect: float = 0.5
    hasty_read: float = 1.0


class TableUnavailable(Exception):
    """DynamoDB did not answer, or refused the call; the cause is its own error."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The write's condition does not hold. ``item`` is what is there instead; None where nothing is."""

    item: TaskItem | None


class TaskTable:
    """Keeps the clients of one process. Safe to use from many threads. Every method raises TableUnavailable."""

    def __init__(self, settings: Settings, session: boto3.Session, timings: TableTimings | None = None) -> None:
        times = timings or TableTimings()
        self.name = settings.tasks_table
        self._retention = settings.task_retention
        self._patient = _client(settings, session, times.connect, times.read, times.tries)
        self._hasty = _client(settings, session, times.hasty_connect, times.hasty_read, 1)

    def get(self, client: str, task_id: str) -> TaskItem | None:
        """The task as the last write left it."""
        request = {"TableName": self.name, "Key": task_key(client, task_id), "ConsistentRead": True}
        found = _call(lambda: self._patient.get_item(**request)).get("Item")
        return TaskItem.from_values(found) if found else None

    def put(self, item: TaskItem) -> Refused | None:
        """A new task. Refused when its id is taken; None also when an earlier try of this call was taken."""
        refused = _conditional(self._patient.put_item, writes.put(self.name, item))
        own = refused and refused.item and refused.item.request == item.request
        return None if own else refused

    def replace(self, item: TaskItem) -> Refused | None:
        """A task of the older routes, in the place of an earlier one of the same id."""
        return _conditional(self._hasty.put_item, writes.put(self.name, item, replace=True))

    def withdraw(self, item: TaskItem) -> Refused | None:
        return _conditional(self._patient.delete_item, writes.withdraw(self.name, item))

    def take_over(self, item: TaskItem, published: int) -> Refused | None:
        return self._update(publishing.take_over(self.name, item, published=published))

    def unpublished(self, item: TaskItem) -> Refused | None:
        return self._update(publishing.unpublished(self.name, item))

    def confirm(self, item: TaskItem) -> Refused | None:
        return self._update(publishing.confirm(self.name, item))

    def cancel_queued(self, item: TaskItem, now: float) -> Refused | None:
        return self._update(writes.cancel_queued(self.name, item.client, item.id, now=now, ttl=self._ttl(item, now)))

    def cancel_running(self, item: TaskItem, now: float) -> Refused | None:
        return self._update(writes.cancel_running(self.name, item.client, item.id, now=now))

    def expire(self, item: TaskItem, now: float) -> Refused | None:
        return self._update(writes.expire(self.name, item.client, item.id, now=now, ttl=self._ttl(item, now)))

    def keys(self, client: str, before: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Keys of the client's tasks in the index, the newest first, ``limit`` at most; with ``before`` (a
        ``created_id``) only older ones. The index is up to date within a second, as a rule."""
        condition, values = "#client = :client", {":client": to_value(client)}
        names = {
            "#client": BY_CLIENT_PARTITION_KEY,
            "#pk": PARTITION_KEY,
            "#sk": SORT_KEY,
            "#place": BY_CLIENT_SORT_KEY,
        }
        if before is not None:
            condition += " AND #place < :before"
            values[":before"] = to_value(before)
        request = {
            "TableName": self.name,
            "IndexName": BY_CLIENT,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ProjectionExpression": "#pk, #sk, #place",
            "ScanIndexForward": False,
            "Limit": limit,
        }
        found: Sequence[Mapping[str, Any]] = _call(lambda: self._patient.query(**request))["Items"]
        return found

    def batch(self, keys: Sequence[Key]) -> Iterator[TaskItem]:
        """The tasks of at most MAX_KEYS keys, in any order; those that are gone are left out."""
        remaining: Any = {self.name: {"Keys": list(keys), "ConsistentRead": True}} if keys else {}
        for _ in range(BATCH_TRIES):
            if not remaining:
                return
            request = {"RequestItems": remaining}
            answer = _call(lambda request=request: self._patient.batch_get_item(**request))  # type: ignore[misc]
            yield from map(TaskItem.from_values, answer["Responses"].get(self.name, ()))
            remaining = answer.get("UnprocessedKeys")
        if remaining:
            raise TableUnavailable("DynamoDB leaves keys of a batch unread")

    def pods(self, runtime: str) -> list[PodItem]:
        """What the pods of a runtime reported, the gone ones included."""
        request = pods.reports(self.name, runtime)
        return [PodItem.from_values(item) for item in _call(lambda: self._patient.query(**request))["Items"]]

    def _ttl(self, item: TaskItem, now: float) -> int:
        """Of a task that ends before any agent has seen it: while its message may be in the queue, the item is what
        keeps it from running."""
        sent = item.published or epoch(item.created)
        return int(max(now + self._retention, sent + MAX_DEADLINE))

    def _update(self, request: Request) -> Refused | None:
        return _conditional(self._patient.update_item, request)


def _client(settings: Settings, session: boto3.Session, connect: float, read: float, tries: int) -> Any:
    return session.client(
        "dynamodb",
        region_name=settings.region,
        endpoint_url=settings.endpoint_url,
        config=Config(
            connect_timeout=connect,
            read_timeout=read,
            max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": tries},
        ),
    )


def _call(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except CALL_FAILURES as error:
        raise TableUnavailable(str(error)) from error


def _conditional(call: Callable[..., Any], request: Request) -> Refused | None:
    try:
        call(**request)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != writes.CONDITION_FAILED:
            raise TableUnavailable(str(error)) from error
        found: Any = error.response.get("Item")
        return Refused(TaskItem.from_values(found) if found else None)
    except CALL_FAILURES as error:
        raise TableUnavailable(str(error)) from error
    return None
