"""Stops a task: at once while it waits, by its agent while it runs."""

import time
from collections.abc import Callable

from contract.task_table.item import State, TaskItem
from frontend_lambda.tasks.problems import unavailable
from frontend_lambda.tasks.reader import NO_ANSWER, Reader
from frontend_lambda.tasks.table import TableUnavailable, TaskTable

TRIES = 4
"""A task may begin, or go back to its queue, between reading it and writing; it does so every few seconds at most."""


class Cancellation:
    """Cancels tasks. Safe to use from many threads."""

    def __init__(self, table: TaskTable, reader: Reader, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._reader = reader
        self._clock = clock

    def cancel(self, client: str, task_id: str) -> TaskItem:
        """The task after the request to stop it: ended, or running with ``cancel`` set. To ask again changes nothing.

        Raises TaskProblem as ``Reader.read`` does.
        """
        item = self._reader.read(client, task_id)
        for _ in range(TRIES):
            if item.status.terminal or item.cancel:
                return item
            write = self._table.cancel_queued if item.status is State.QUEUED else self._table.cancel_running
            try:
                write(item, self._clock())
            except TableUnavailable as error:
                raise unavailable(NO_ANSWER) from error
            item = self._reader.read(client, task_id)
        if item.status.terminal or item.cancel:
            return item
        raise unavailable("the task changes too quickly; send the request again")
