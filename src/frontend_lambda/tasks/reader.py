"""Reads a task, at once or when it has changed."""

import time
from collections.abc import Callable, Collection

from contract.task_table.item import State, TaskItem
from frontend_lambda.tasks.problems import no_such_task, unavailable
from frontend_lambda.tasks.request import ANY_TAG, TaskRequest
from frontend_lambda.tasks.table import TableUnavailable, TaskTable
from frontend_lambda.tasks.timings import TaskTimings

NO_ANSWER = "the table of tasks did not answer; send the request again"


class Reader:
    """Reads tasks as the last write left them. Safe to use from many threads."""

    def __init__(
        self,
        table: TaskTable,
        timings: TaskTimings,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = table
        self._timings = timings
        self._clock = clock
        self._sleep = sleep

    def read(self, client: str, task_id: str) -> TaskItem:
        """The task. One that has waited beyond its deadline expires here, before anybody sees it.

        Raises TaskProblem: there is no such task of this client, or the table does not answer.
        """
        try:
            item = self._table.get(client, task_id)
        except TableUnavailable as error:
            raise unavailable(NO_ANSWER) from error
        current = self.current(item) if item else None
        if current is None:
            raise no_such_task(task_id)
        return current

    def current(self, item: TaskItem) -> TaskItem | None:
        """The task that was read a moment ago, expired if its deadline has passed; None when it is gone since then.

        Raises TaskProblem when the table does not answer.
        """
        if item.status is not State.QUEUED or item.deadline is None or item.deadline >= int(self._clock()):
            return item
        try:
            self._table.expire(item, self._clock())
            return self._table.get(item.client, item.id)
        except TableUnavailable as error:
            raise unavailable(NO_ANSWER) from error

    def wait(self, request: TaskRequest, item: TaskItem) -> TaskItem:
        """The task when it has ended, or, where the request names revisions, when it has another one; or as it is when
        the time is up that the request asks for. Raises as ``read`` does."""
        known = request.known_revisions
        wait = min(request.wait_seconds, self._timings.wait)
        until = min(time.monotonic() + wait, request.started + self._timings.total)
        while not (not is_known(item, known) if known else item.status.terminal):
            left = until - time.monotonic()
            if left <= 0:
                break
            self._sleep(min(self._timings.poll, left))
            item = self.read(item.client, item.id)
        return item


def tag(item: TaskItem) -> str:
    """The entity tag of a revision, without quotes. The older routes may use an id again, and begin with 1 again."""
    return f"{item.revision}-{item.request[:8]}"


def is_known(item: TaskItem, tags: Collection[str]) -> bool:
    """Whether the revision is one of those that ``If-None-Match`` names."""
    return tag(item) in tags or ANY_TAG in tags
