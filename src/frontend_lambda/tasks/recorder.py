"""Puts the tasks of the older routes into the table. They go on without it: their callers know nothing of it."""

import time
from collections.abc import Callable

from contract.task import Metadata
from contract.task_table.item import State, TaskItem, timestamp
from frontend_lambda.logs import LOGGER
from frontend_lambda.settings import Settings
from frontend_lambda.tasks.options import MAX_DEADLINE
from frontend_lambda.tasks.table import TableUnavailable, TaskTable
from frontend_lambda.tasks.timings import TaskTimings


class Recorder:
    """Safe to use from many threads; never raises."""

    def __init__(
        self, settings: Settings, table: TaskTable, timings: TaskTimings, clock: Callable[[], float] = time.time
    ) -> None:
        self._retention = settings.task_retention
        self._table = table
        self._timings = timings
        self._clock = clock
        self._skip_until = 0.0

    def record(self, client: str, metadata: Metadata, request_id: str) -> TaskItem | None:
        """The task's item, in the place of an earlier one of its id.

        None where the id is that of a task of the newer route: then this one is in no table. A table that does not
        answer is no reason for None, since the agent adds the item then.
        """
        now = self._clock()
        item = TaskItem(
            client=client,
            id=metadata.id,
            request=request_id,
            status=State.QUEUED,
            runtime=metadata.runtime,
            tasktype=metadata.tasktype,
            prefix=metadata.prefix,
            created=timestamp(now),
            ttl=int(now) + MAX_DEADLINE + self._retention,
        )
        if time.monotonic() < self._skip_until:
            return item
        try:
            return None if self._table.replace(item) else item
        except TableUnavailable as error:
            self._pause("put", item, error)
            return item

    def withdraw(self, item: TaskItem) -> None:
        """The task was not published."""
        if time.monotonic() < self._skip_until:
            return
        try:
            self._table.withdraw(item)
        except TableUnavailable as error:
            self._pause("withdraw", item, error)

    def _pause(self, step: str, item: TaskItem, error: TableUnavailable) -> None:
        self._skip_until = time.monotonic() + self._timings.skip_table
        facts = {"action": "record", "step": step, "task_id": item.id, "request_id": item.request, "detail": str(error)}
        LOGGER.warning("the table of tasks does not answer; going on without it", extra=facts)
