"""Tasks of the task API in a world: their items, as the front door makes and changes them."""

import time
import uuid
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from contract.callback import Status
from contract.runtimes import TaskType
from contract.task_table import writes
from contract.task_table.item import State, TaskItem, Webhook, timestamp
from contract.task_table.keys import task_key
from contract.task_table.writes import CONDITION_FAILED
from contract.wire import CLIENT_ATTRIBUTE, DEADLINE_ATTRIBUTE, REQUEST_ID_ATTRIBUTE, WEBHOOK_ATTRIBUTE, encode_task
from queue_agent.aws.clients import code_of
from test.support.world import World, a_task

CLIENT = "shop"
DAY = 86_400
TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELED, Status.EXPIRED})


def an_item(task_id: str = "t1", **fields: Any) -> TaskItem:
    """A queued task of ``CLIENT``."""
    values = {
        "client": CLIENT,
        "id": task_id,
        "request": str(uuid.uuid4()),
        "status": State.QUEUED,
        "runtime": "r",
        "tasktype": TaskType.TEXT_TO_IMAGE,
        "prefix": "out",
        "created": timestamp(time.time()),
        "fingerprint": "f",
    }
    return TaskItem.model_validate({**values, **fields})


async def submit(
    world: World,
    task_id: str = "t1",
    *,
    deadline: int | None = None,
    events: Sequence[str] = (),
    item: TaskItem | None = None,
    **fields: Any,
) -> TaskItem:
    """A task as the front door takes it: its item first, then its message. ``item`` may already have changed;
    ``fields`` are those of ``a_task``."""
    webhook = Webhook(url="https://example.org", events=tuple(events)) if events else None
    item = item or an_item(task_id, deadline=deadline, webhook=webhook)
    await world.direct.tables.put_item(**writes.put(_table(world), item))
    attributes = {CLIENT_ATTRIBUTE: item.client, REQUEST_ID_ATTRIBUTE: item.request}
    if deadline is not None:
        attributes[DEADLINE_ATTRIBUTE] = str(deadline)
    if events:
        attributes[WEBHOOK_ATTRIBUTE] = ",".join(events)
    await world.send(encode_task(a_task(item.id, **fields)), attributes)
    return item


async def item_of(world: World, task_id: str = "t1", client: str = CLIENT) -> TaskItem | None:
    """What the table holds of the task."""
    answer = await world.direct.tables.get_item(
        TableName=_table(world), Key=task_key(client, task_id), ConsistentRead=True
    )
    return TaskItem.from_values(answer["Item"]) if "Item" in answer else None


async def has_status(world: World, status: State, task_id: str = "t1") -> TaskItem | None:
    """The item once it has this status."""
    item = await item_of(world, task_id)
    return item if item is not None and item.status is status else None


async def cancel(world: World, task_id: str = "t1", client: str = CLIENT) -> bool:
    """As the front door cancels: what waits is over, what runs is marked. Whether it was neither over nor marked."""
    now, table = time.time(), _table(world)
    for write in (
        writes.cancel_queued(table, client, task_id, now=now, ttl=int(now) + DAY),
        writes.cancel_running(table, client, task_id, now=now),
    ):
        try:
            await world.direct.tables.update_item(**write)
        except ClientError as error:
            if code_of(error) != CONDITION_FAILED:
                raise
        else:
            return True
    return False


def _table(world: World) -> str:
    assert world.table is not None
    return world.table
