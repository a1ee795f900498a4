"""Each write of a task's life, with the condition that keeps it to one end.

The table arbitrates between a cancellation and a run; which of two agents' runs counts is decided by the record in S3.
Every function returns the keyword arguments of the low-level client's call that it names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from contract.callback import Cause
from contract.errors import truncate
from contract.task_table.item import ACTIVE, MAX_MESSAGE_LENGTH, MAX_OUTPUTS, Output, State, TaskItem, timestamp
from contract.task_table.keys import PARTITION_KEY, created_id, task_key
from contract.task_table.update import Request, Update
from contract.task_table.values import from_values, to_value

CONDITION_FAILED = "ConditionalCheckFailedException"
"""The error code of a write whose condition does not hold; the error's ``Item`` is what is there instead."""


class Refusal(Enum):
    """Why a claim or an end was refused."""

    CANCELED = "canceled"
    EXPIRED = "expired"
    ENDED = "ended"
    """The task has completed or failed; its record tells."""
    ANOTHER = "another"
    """The item is that of another request with the same id: this one is not in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a message says of its task: enough to make an item where the front door could not.

    ``request`` is the identity of the request, ``created`` epoch seconds, ``ttl`` epoch seconds.
    """

    client: str
    id: str
    request: str
    runtime: str
    tasktype: str
    prefix: str
    created: float
    ttl: int

    @property
    def key(self) -> dict[str, dict[str, str]]:
        return task_key(self.client, self.id)


def put(table: str, item: TaskItem, *, replace: bool = False) -> Request:
    """put_item: a task that the front door accepted.

    With ``replace``, as the older routes allow, the item of an earlier task of the older routes is overwritten.
    """
    free = f"attribute_not_exists({PARTITION_KEY})"
    request: Request = {
        "TableName": table,
        "Item": item.to_values(),
        "ConditionExpression": f"{free} OR attribute_not_exists(fingerprint)" if replace else free,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    return request


def withdraw(table: str, item: TaskItem) -> Request:
    """delete_item: the task of a request that could not be published. Refused once a repeat has taken over."""
    values = {"request": item.request, "status": State.QUEUED, "published": item.published}
    known = {name: value for name, value in values.items() if value is not None}
    return {
        "TableName": table,
        "Key": item.key,
        "ConditionExpression": " AND ".join(f"#{name} = :{name}" for name in known),
        "ExpressionAttributeNames": {f"#{name}": name for name in known},
        "ExpressionAttributeValues": {f":{name}": to_value(value) for name, value in known.items()},
    }


def claim(table: str, origin: Origin, *, run: str, attempt: int, now: float) -> Request:
    """update_item: a run begins. Refused for what is canceled or has ended, and for another request's item."""
    update = Update(table, origin.key)
    update.set(status=State.RUNNING, run=run, attempt=attempt, started=timestamp(now))
    update.set_if_absent(**_facts(origin))
    update.remove("progress", "beat", "retry")
    return update.request(
        f"attribute_not_exists({PARTITION_KEY}) OR ({_MINE} AND attribute_not_exists(#cancel))",
        names=("request", "status", "cancel"),
        request=origin.request,
    )


def beat(table: str, origin: Origin, *, run: str, now: float, progress: float | None) -> Request:
    """update_item: the run goes on. The answer is the whole item, so that a cancellation shows.

    ``progress`` is 0..1; None when it has not changed, which is no new revision for those who wait for one.
    """
    update = Update(table, origin.key, revision=progress is not None)
    update.set(beat=timestamp(now))
    if progress is not None:
        update.set(progress=round(progress, 3))
    return update.request(_MY_RUN, names=("status", "run"), run=run) | {"ReturnValues": "ALL_NEW"}


def requeue(table: str, origin: Origin, *, run: str) -> Request:
    """update_item: the run ended without an outcome, and the task waits for another."""
    update = Update(table, origin.key)
    update.set(status=State.QUEUED, retry=True)
    update.remove("run", "progress", "beat", "started")
    return update.request(_MY_RUN, names=("status", "run"), run=run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a task came to. ``gpu_seconds`` are those of the run that counts, ``usd`` what they cost."""

    status: State
    attempt: int = 0
    outputs: Sequence[Output] = ()
    error: Cause | None = None
    retryable: bool = False
    gpu_seconds: float | None = None
    usd: float | None = None
    record: str | None = None


def end(table: str, origin: Origin, ending: Ending, *, now: float) -> Request:
    """update_item: the task has an outcome. Refused when it has one already, and for another request's item."""
    update = Update(table, origin.key)
    update.set(
        status=ending.status,
        ended=timestamp(now),
        attempt=ending.attempt or None,
        outputs=[output.model_dump() for output in ending.outputs[:MAX_OUTPUTS]] or None,
        omitted_outputs=max(0, len(ending.outputs) - MAX_OUTPUTS) or None,
        error=_error(ending.error),
        retryable=ending.retryable or None,
        gpu_seconds=ending.gpu_seconds,
        usd=ending.usd,
        record=ending.record,
        ttl=origin.ttl,
    )
    update.set_if_absent(**{name: value for name, value in _facts(origin).items() if name != "ttl"})
    update.remove("progress", "beat", "retry", "run")
    return update.request(
        f"attribute_not_exists({PARTITION_KEY}) OR ({_MINE})", names=("request", "status"), request=origin.request
    )


def cancel_queued(table: str, client: str, task_id: str, *, now: float, ttl: int) -> Request:
    """update_item: a task that waits is over. Its message may come to an agent later, which needs the item then."""
    update = Update(table, task_key(client, task_id))
    update.set(status=State.CANCELED, ended=timestamp(now), ttl=ttl)
    update.remove("retry")
    return update.request("#status = :queued", names=("status",), queued=State.QUEUED)


def cancel_running(table: str, client: str, task_id: str, *, now: float) -> Request:
    """update_item: a task that runs is to be stopped. Refused when somebody asked before."""
    update = Update(table, task_key(client, task_id))
    update.set(cancel=timestamp(now))
    return update.request(
        "#status = :running AND attribute_not_exists(#cancel)", names=("status", "cancel"), running=State.RUNNING
    )


def expire(table: str, client: str, task_id: str, *, now: float, ttl: int) -> Request:
    """update_item: a task that waits beyond its deadline is over. As with ``cancel_queued``, its message is not."""
    update = Update(table, task_key(client, task_id))
    update.set(status=State.EXPIRED, ended=timestamp(now), ttl=ttl)
    return update.request(
        "#status = :queued AND #deadline < :now", names=("status", "deadline"), queued=State.QUEUED, now=int(now)
    )


def look(table: str, client: str, task_id: str) -> Request:
    """get_item: what ``refusal_in`` reads of a task. Consistent, so that a cancellation that was answered shows."""
    names = ("request", "status", "cancel")
    return {
        "TableName": table,
        "Key": task_key(client, task_id),
        "ConsistentRead": True,
        "ProjectionExpression": ", ".join(f"#{name}" for name in names),
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
    }


def refusal_in(item: Mapping[str, Any] | None, request: str) -> Refusal | None:
    """Why the task of ``request`` is not to run, by its item as AWS writes it; None when it may."""
    if not item:
        return None
    values = from_values(item)
    if values.get("request") != request:
        return Refusal.ANOTHER
    if values["status"] == State.EXPIRED:
        return Refusal.EXPIRED
    if values["status"] == State.CANCELED or (values["status"] in ACTIVE and values.get("cancel")):
        return Refusal.CANCELED
    return None if values["status"] in ACTIVE else Refusal.ENDED


def refusal(item: Mapping[str, Any] | None, request: str) -> Refusal:
    """What the item of a refused claim or end says of the task of ``request``. ``item`` is the error's."""
    return refusal_in(item, request) or Refusal.ENDED


_MINE = "#request = :request AND #status IN (:queued, :running)"
_MY_RUN = "#status = :running AND #run = :run"


def _facts(origin: Origin) -> dict[str, Any]:
    created = timestamp(origin.created)
    return {
        "client": origin.client,
        "id": origin.id,
        "request": origin.request,
        "runtime": origin.runtime,
        "tasktype": origin.tasktype,
        "prefix": origin.prefix,
        "created": created,
        "created_id": created_id(created, origin.id),
        "ttl": origin.ttl,
    }


def _error(error: Cause | None) -> dict[str, str] | None:
    return {"type": error.type, "message": truncate(error.message, MAX_MESSAGE_LENGTH)} if error else None
