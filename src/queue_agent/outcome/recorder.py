"""Stores what a task came to. What is recorded first is the task's outcome, and stays it."""

from dataclasses import dataclass, replace

from contract.callback import Callback, Cause, Status
from contract.task_table.item import Output as StoredOutput
from queue_agent.errors import LeaseLost
from queue_agent.outcome.delivery import Delivery
from queue_agent.outcome.delivery_retry import DeliveryRetry
from queue_agent.outcome.store import KeyTaken, Record, Store
from queue_agent.runtimes.base import Result
from queue_agent.telemetry.tracing import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An outcome that has its record, under the keys of ``delivery``. ``seconds`` is how long the run took on the
    runtime, None when no run did; ``repeated`` whether an earlier delivery recorded it."""

    delivery: Delivery
    callback: Callback
    outputs: tuple[StoredOutput, ...] = ()
    seconds: float | None = None
    repeated: bool = False

    @classmethod
    def earlier(cls, delivery: Delivery, record: Record) -> "Recorded":
        """What an earlier delivery of the task recorded."""
        return cls(
            delivery=delivery,
            callback=record.callback,
            outputs=record.outputs,
            seconds=record.seconds,
            repeated=True,
        )


class OutcomeRecorder:
    """Repeats what S3 does not take, and moves to other keys where another task has these."""

    def __init__(self, store: Store, retry: DeliveryRetry) -> None:
        self._store = store
        self._retry = retry

    async def record_result(self, delivery: Delivery, result: Result, seconds: float, span: Span) -> Recorded:
        """Store the outputs and the record.

        ``seconds`` is how long the run took, ``span`` counts the outputs' bytes. Raises LeaseLost,
        PermanentError for more than a task may deliver, and RuntimeFault when the runtime does not give an output.
        """
        self._store.limits.check_count(len(result.outputs) - result.additional)
        fresh = delivery.first
        while True:
            try:
                return await self._put_result(delivery, result, seconds, span, fresh=fresh)
            except KeyTaken:
                delivery, fresh = await self._with_free_keys(delivery), False

    async def record_failure(self, delivery: Delivery, cause: Cause, status: Status = Status.FAILED) -> Recorded:
        """A failure is an outcome too: it is recorded, so that a redelivery sends it again instead of running again.

        Raises LeaseLost.
        """
        while True:
            keys, callback = delivery.keys, delivery.failed(cause, status)
            task = {"callback": callback.model_dump()}
            try:
                await self._retry.deliver(
                    "store",
                    delivery.lease,
                    lambda: self._store.put_record(keys, {}, task, delivery.run_id),  # noqa: B023
                )
            except KeyTaken:
                delivery = await self._with_free_keys(delivery)
            else:
                return Recorded(delivery=delivery, callback=callback, seconds=delivery.seconds)

    async def find(self, delivery: Delivery) -> tuple[Delivery, Record | None]:
        """The record of the task if there is one, and the delivery with the keys that it may use. Raises LeaseLost."""
        keys, record = await self._retry.deliver(
            "store", delivery.lease, lambda: self._store.find_record(delivery.keys)
        )
        return replace(delivery, keys=keys), record

    async def _put_result(
        self, delivery: Delivery, result: Result, seconds: float, span: Span, *, fresh: bool
    ) -> Recorded:
        lease, keys = delivery.lease, delivery.keys
        stored = await self._retry.deliver(
            "store", lease, lambda: self._store.put_outputs(keys, result.outputs, span, fresh=fresh)
        )
        urls = [keys.url(output.key) for output in stored]
        callback = delivery.completed(urls)
        task = {
            "callback": callback.model_dump(),
            "ran": _ran(result, seconds),
            "outputs": [output.model_dump() for output in stored],
        }
        await self._retry.deliver(
            "store", lease, lambda: self._store.put_record(keys, result.answer(urls), task, delivery.run_id)
        )
        return Recorded(delivery=delivery, callback=callback, outputs=tuple(stored), seconds=seconds)

    async def _with_free_keys(self, delivery: Delivery) -> Delivery:
        """After KeyTaken. Raises LeaseLost when another agent committed the task."""
        delivery, record = await self.find(delivery)
        if record is not None:
            raise LeaseLost
        return delivery


def _ran(result: Result, seconds: float) -> dict[str, object]:
    ran = result.ran
    return {
        "runtime": ran.runtime,
        "version": ran.version,
        "model": ran.model,
        "model_hash": ran.model_hash,
        "seeds": list(ran.seeds),
        "seconds": round(seconds, 3),
    }
