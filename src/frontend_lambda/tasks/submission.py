"""A task's way in: checked, put into the table, and published. A repeat finds the task that is there."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contract.errors import ContractError, Problem
from contract.task_table.item import State, TaskItem, timestamp
from contract.trace import ATTRIBUTE as TRACE_ATTRIBUTE
from contract.wire import CLIENT_ATTRIBUTE, DEADLINE_ATTRIBUTE, WEBHOOK_ATTRIBUTE
from frontend_lambda import v1alpha2
from frontend_lambda.admission import Admission
from frontend_lambda.logs import LOGGER, loggable_id
from frontend_lambda.sender import NotSent, Sender
from frontend_lambda.settings import Settings
from frontend_lambda.tasks.estimate import position
from frontend_lambda.tasks.idempotency import fingerprint, is_published, is_repeat, may_publish
from frontend_lambda.tasks.load import Loads
from frontend_lambda.tasks.options import MAX_DEADLINE, Options, read_options
from frontend_lambda.tasks.problems import TaskProblem, id_in_use, invalid, unavailable
from frontend_lambda.tasks.reader import Reader
from frontend_lambda.tasks.request import TaskRequest
from frontend_lambda.tasks.table import TableUnavailable, TaskTable
from frontend_lambda.tasks.timings import TaskTimings

NOT_ACCEPTED = "the task was not accepted: it could not be {}; send it again with the same id"


@dataclass(frozen=True, slots=True)
class Submitted:
    """``repeat``: the task was there already."""

    item: TaskItem
    repeat: bool


class Submission:
    """Takes tasks. Safe to use from many threads."""

    def __init__(
        self,
        settings: Settings,
        table: TaskTable,
        sender: Sender,
        loads: Loads,
        reader: Reader,
        *,
        timings: TaskTimings,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._table = table
        self._sender = sender
        self._loads = loads
        self._reader = reader
        self._timings = timings
        self._clock = clock
        self._sleep = sleep

    def submit(self, request: TaskRequest, body: Any, request_id: str, facts: dict[str, Any]) -> Submitted:
        """The task of ``{"task": …, "options": …}``. ``facts`` gains what a log line says of it.

        Raises TaskProblem; then nothing was queued, or the same request again does no harm.
        """
        facts["task_id"] = loggable_id(v1alpha2.task_id(body))
        admission, options = self._checked(request, body, facts)
        item = self._item(request, admission, options, request_id, fingerprint(body))
        facts |= {"task_id": item.id, "runtime": item.runtime, "tasktype": item.tasktype.value}
        try:
            refused = self._table.put(item)
        except TableUnavailable as error:
            facts |= {"outcome": "failed", "step": "put", "detail": str(error)}
            raise unavailable(NOT_ACCEPTED.format("recorded")) from error
        if refused is None:
            self._publish(request, admission, item, facts)
            return Submitted(item, repeat=False)
        return Submitted(self._repeated(request, admission, item, refused.item, facts), repeat=True)

    def _checked(self, request: TaskRequest, body: Any, facts: dict[str, Any]) -> tuple[Admission, Options]:
        options, problems, omitted = Options(), list[Problem](), 0
        task = {name: value for name, value in body.items() if name != "options"} if isinstance(body, dict) else body
        try:
            options = read_options(
                body.get("options") if isinstance(body, dict) else None,
                allow_loopback=self._settings.loopback_webhooks,
            )
        except ContractError as error:
            problems, omitted = list(error.problems), error.omitted
        try:
            admission = v1alpha2.accept(task, request.caller)
        except ContractError as error:
            problems = [*error.problems, *problems]
            raise _refusal(ContractError(problems, omitted=omitted + error.omitted), facts) from error
        if problems:
            raise _refusal(ContractError(problems, omitted=omitted), facts)
        return admission, options

    def _item(
        self, request: TaskRequest, admission: Admission, options: Options, request_id: str, fingerprint: str
    ) -> TaskItem:
        metadata, now = admission.task.metadata, self._clock()
        return TaskItem(
            client=request.client,
            id=metadata.id,
            request=request_id,
            status=State.QUEUED,
            runtime=metadata.runtime,
            tasktype=metadata.tasktype,
            prefix=metadata.prefix,
            created=timestamp(now),
            deadline=None if options.deadline is None else int(now) + options.deadline,
            labels=options.labels,
            webhook=options.webhook,
            fingerprint=fingerprint,
            published=int(now),
            position=position(self._loads.of(metadata.runtime)),
            ttl=int(now) + MAX_DEADLINE + self._settings.task_retention,
        )

    def _publish(
        self, request: TaskRequest, admission: Admission, item: TaskItem, facts: dict[str, Any], *, repeat: bool = False
    ) -> None:
        try:
            self._sender.send(
                admission.task,
                {**admission.attributes, **_attributes(request, item)},
                item.request,
                client_group=request.caller.message_group,
                repeat=repeat,
                until=request.started + self._timings.total,
            )
        except NotSent as error:
            cause = error.__cause__
            facts |= {"outcome": "failed", "step": error.step, "error": type(cause).__name__, "detail": str(cause)}
            self._take_back(item, keep=repeat or error.uncertain)
            raise unavailable(NOT_ACCEPTED.format("queued")) from error
        if not repeat:
            self._loads.sent(item.runtime)
        facts["outcome"] = "accepted"

    def _take_back(self, item: TaskItem, *, keep: bool) -> None:
        """The task is gone; or, where its message may be in the queue, it is published again by the next repeat."""
        undo = self._table.unpublished if keep else self._table.withdraw
        self._note("withdraw", undo, item, "a task that was not published is still in the table")

    def _repeated(
        self,
        request: TaskRequest,
        admission: Admission,
        item: TaskItem,
        earlier: TaskItem | None,
        facts: dict[str, Any],
    ) -> TaskItem:
        """The task that is there, once its message is known to be in the queue."""
        until = request.started + self._timings.total
        while True:
            if earlier is None or item.fingerprint is None or not is_repeat(earlier, item.fingerprint):
                raise id_in_use(item.id)
            facts |= {"outcome": "repeated", "repeated_request_id": earlier.request}
            current = self._reader.current(earlier)
            if current is not None and is_published(current):
                return current
            if current is not None and self._take_over(request, admission, current, facts):
                return current
            if current is None or time.monotonic() >= until:
                raise unavailable(NOT_ACCEPTED.format("queued"))
            self._sleep(self._timings.poll)
            try:
                earlier = self._reader.read(current.client, current.id)
            except TaskProblem as problem:
                raise unavailable(NOT_ACCEPTED.format("queued")) from problem

    def _take_over(self, request: TaskRequest, admission: Admission, earlier: TaskItem, facts: dict[str, Any]) -> bool:
        """Whether this repeat has published the task; False when another one is at it."""
        now = self._clock()
        if not may_publish(earlier, now, self._timings.republish):
            return False
        published = max(int(now), (earlier.published or 0) + 1)
        try:
            if self._table.take_over(earlier, published) is not None:
                return False
        except TableUnavailable as error:
            raise unavailable(NOT_ACCEPTED.format("recorded")) from error
        own = earlier.model_copy(update={"published": published})
        self._publish(request, admission, own, facts, repeat=True)
        self._note("confirm", self._table.confirm, own, "the next repeat publishes the task once more")
        return True

    @staticmethod
    def _note(step: str, write: Callable[[TaskItem], Any], item: TaskItem, otherwise: str) -> None:
        """Make a write that the request does not depend on; ``otherwise`` is what is so without it."""
        try:
            write(item)
        except TableUnavailable as error:
            facts = {"action": step, "task_id": item.id, "request_id": item.request, "detail": str(error)}
            LOGGER.warning(otherwise, extra=facts)


def _attributes(request: TaskRequest, item: TaskItem) -> Mapping[str, str]:
    attributes = {TRACE_ATTRIBUTE: request.trace.traceparent, CLIENT_ATTRIBUTE: item.client}
    if item.deadline is not None:
        attributes[DEADLINE_ATTRIBUTE] = str(item.deadline)
    if item.webhook is not None:
        attributes[WEBHOOK_ATTRIBUTE] = ",".join(item.webhook.events)
    return attributes


def _refusal(error: ContractError, facts: dict[str, Any]) -> TaskProblem:
    facts["problems"] = len(error.problems) + error.omitted
    return invalid(error)
