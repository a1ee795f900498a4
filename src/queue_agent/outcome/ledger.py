"""What the agent writes of its tasks into the table that the task API answers from; without a table, nothing.

The record in S3 decides between agents, the lease who may run. The table only decides between a cancellation and a run.
"""

import logging
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from contract.callback import Cause, Status
from contract.metrics import TABLE_FAILURES
from contract.task_table.item import State
from contract.task_table.writes import Ending, Origin, Refusal
from contract.wire import client_of
from queue_agent.aws.task_table import TaskTable
from queue_agent.errors import AwsError
from queue_agent.outcome.delivery import Delivery
from queue_agent.outcome.recorder import Recorded
from queue_agent.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

T = TypeVar("T")

DAY_SECONDS, HOUR_SECONDS = 86_400, 3_600

USD_DIGITS = 9
"""Behind the point: a second of the cheapest GPU costs a ten-thousandth."""


class Ledger:
    """``gpu_hour_price`` in USD, None when it is not known. Every other call raises AwsError; each
    failure is counted."""

    def __init__(
        self, table: TaskTable | None, metrics: Metrics, *, retention_days: int, gpu_hour_price: float | None = None
    ) -> None:
        self._table = table
        self._metrics = metrics
        self._retention = retention_days * DAY_SECONDS
        self._gpu_hour_price = gpu_hour_price

    @property
    def kept(self) -> bool:
        """Whether there is a table."""
        return self._table is not None

    async def look(self, delivery: Delivery) -> Refusal | None:
        """Why the task is not to run; None when it may, also when the table does not know it."""
        if self._table is None:
            return None
        return await self._counted("look", self._table.look(self._origin(delivery)))

    async def was_canceled(self, delivery: Delivery) -> bool:
        """Whether the table says so; False when it does not answer. Never raises."""
        try:
            return await self.look(delivery) is Refusal.CANCELED
        except AwsError:
            return False

    async def claim(self, delivery: Delivery) -> Refusal | None:
        """The delivery's run begins; why it is not to, if so."""
        if self._table is None:
            return None
        claim = self._table.claim(self._origin(delivery), run=delivery.run_id, attempt=delivery.runs or 1)
        return await self._counted("claim", claim)

    async def beat(self, delivery: Delivery, progress: float | None) -> Refusal | None:
        """The delivery's run goes on; ``progress`` (0..1) when it has changed. Why it is not to go on, if so; ANOTHER
        when the table does not know this run."""
        if self._table is None:
            return None
        beat = self._table.beat(self._origin(delivery), run=delivery.run_id, progress=progress)
        return await self._counted("beat", beat)

    async def end(self, recorded: Recorded) -> None:
        """The task has this outcome, unless the table has one already: that of an earlier attempt at this call, or a
        cancellation that the agent learned of too late."""
        if self._table is None:
            return
        delivery, status = recorded.delivery, recorded.callback.status
        with delivery.lease.trace.span("end", status=status.value):
            end = self._table.end(self._origin(delivery), self._ending(recorded))
            refusal = await self._counted("end", end)
        if status not in CALLED_OFF and refusal in {Refusal.CANCELED, Refusal.EXPIRED}:
            log.warning(
                "the task was called off in the table before its run was noted there; its record keeps the result",
                extra={"action": "end", "cause": refusal.value, **delivery.fields},
            )

    async def requeue(self, delivery: Delivery) -> None:
        """The delivery's run ended without an outcome."""
        if self._table is not None:
            requeue = self._table.requeue(self._origin(delivery), run=delivery.run_id)
            await self._counted("requeue", requeue)

    async def _counted(self, call: str, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        except AwsError:
            self._metrics.add(TABLE_FAILURES, call)
            raise

    def _origin(self, delivery: Delivery) -> Origin:
        lease, metadata = delivery.lease, delivery.metadata
        return Origin(
            client=client_of(lease.client),
            id=metadata.id,
            request=delivery.keys.identity,
            runtime=metadata.runtime,
            tasktype=metadata.tasktype.value,
            prefix=metadata.prefix,
            created=lease.sent,
            ttl=int(time.time() + self._retention),
        )

    def _ending(self, recorded: Recorded) -> Ending:
        callback, seconds = recorded.callback, recorded.seconds
        return Ending(
            status=State(callback.status.value),
            attempt=recorded.delivery.runs or 0,
            outputs=recorded.outputs,
            error=_failure(callback.error, callback.status),
            retryable=callback.error is not None and callback.error.retryable,
            gpu_seconds=None if seconds is None else round(seconds, 3),
            usd=self._usd(seconds),
            record=recorded.delivery.keys.record_key,
        )

    def _usd(self, seconds: float | None) -> float | None:
        if seconds is None or self._gpu_hour_price is None:
            return None
        return round(seconds / HOUR_SECONDS * self._gpu_hour_price, USD_DIGITS)


CALLED_OFF = frozenset({Status.CANCELED, Status.EXPIRED})


def _failure(cause: Cause | None, status: Status) -> Cause | None:
    """What is called off has not failed."""
    return cause if status is Status.FAILED else None
