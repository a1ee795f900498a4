"""Many ended tasks in the table of a platform, as if it had run them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from contract.clients import DEFAULT_NAME
from contract.runtimes import TaskType
from contract.task_table.item import Output, State, TaskItem
from infra.config.model import load_config
from infra.topology import topology_of
from test.support.platform import Running

BATCH = 25
"""Items of a batch_write_item."""


async def write_ended_tasks(platform: Running, count: int, labels: Mapping[str, str] | None = None) -> None:
    """Write them, a second apart, the newest a minute old. Their outputs are not in the bucket."""
    table = topology_of(load_config(platform.output.parent / "config.yaml")).task_table.name
    async with platform.access.clients() as clients:
        for first in range(0, count, BATCH):
            items = [_item(number, labels or {}).to_values() for number in range(first, min(first + BATCH, count))]
            puts: Any = {table: [{"PutRequest": {"Item": one}} for one in items]}
            await clients.tables.batch_write_item(RequestItems=puts)


def _item(number: int, labels: Mapping[str, str]) -> TaskItem:
    begin = datetime.now(UTC) - timedelta(seconds=number + 60)
    times = [(begin + timedelta(seconds=after)).isoformat(timespec="milliseconds") for after in (0, 0.5, 2)]
    created, started, ended = (time.replace("+00:00", "Z") for time in times)
    return TaskItem(
        client=DEFAULT_NAME,
        id=f"ended-{number}",
        request=f"request-{number}",
        status=State.COMPLETED,
        runtime="sdruntime",
        tasktype=TaskType.TEXT_TO_IMAGE,
        prefix="output",
        created=created,
        started=started,
        ended=ended,
        attempt=1,
        labels=labels,
        outputs=(Output(key=f"output/ended-{number}/1.bin", type="application/octet-stream", size=1),),
    )
