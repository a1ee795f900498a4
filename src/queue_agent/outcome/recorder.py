"""Stores what a task came to. What is recorded first is the task's outcome, and stays it."""

from dataclasses import replace

from contract.callback import Callback, Cause
from queue_agent.errors import LeaseLost
from queue_agent.outcome.delivery import Delivery
from queue_agent.outcome.delivery_retry import DeliveryRetry
from queue_agent.outcome.store import KeyTaken, Record, Store
from queue_agent.runtimes.base import Result
from queue_agent.telemetry.tracing import Span


class OutcomeRecorder:
    """Repeats what S3 does not take, and moves to other keys where another task has these."""

    def __init__(self, store: Store, retry: DeliveryRetry) -> None:
        self._store = store
        self._retry = retry

    async def record_result(
        self, delivery: Delivery, result: Result, seconds: float, span: Span
    ) -> tuple[Delivery, Callback]:
        """Store the outputs and the record. Returns the delivery with the keys that were used, and the callback.

        ``seconds`` is how long the run took, ``span`` counts the outputs' bytes. Raises LeaseLost,
        PermanentError for more than a task may deliver, and RuntimeFault when the runtime does not give an output.
        """
        self._store.limits.check_count(len(result.outputs) - result.additional)
        lease, fresh = delivery.lease, delivery.first
        ran = {
            "runtime": result.ran.runtime,
            "version": result.ran.version,
            "model": result.ran.model,
            "model_hash": result.ran.model_hash,
            "seeds": list(result.ran.seeds),
            "seconds": round(seconds, 3),
        }
        while True:
            keys = delivery.keys
            try:
                urls = await self._retry.deliver(
                    "store",
                    lease,
                    lambda: self._store.put_outputs(keys, result.outputs, span, fresh=fresh),  # noqa: B023
                )
                callback = delivery.completed(urls)
                task = {"callback": callback.model_dump(), "ran": ran}
                await self._retry.deliver(
                    "store",
                    lease,
                    lambda: self._store.put_record(keys, result.answer(urls), task, delivery.run_id),  # noqa: B023
                )
            except KeyTaken:
                delivery, fresh = await self._with_free_keys(delivery), False
            else:
                return delivery, callback

    async def record_failure(self, delivery: Delivery, cause: Cause) -> Callback:
        """A failure is an outcome too: it is recorded, so that a redelivery sends it again instead of running again.

        Returns the callback. Raises LeaseLost.
        """
        while True:
            keys, callback = delivery.keys, delivery.failed(cause)
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
                return callback

    async def find(self, delivery: Delivery) -> tuple[Delivery, Record | None]:
        """The record of the task if there is one, and the delivery with the keys that it may use. Raises LeaseLost."""
        keys, record = await self._retry.deliver(
            "store", delivery.lease, lambda: self._store.find_record(delivery.keys)
        )
        return replace(delivery, keys=keys), record

    async def _with_free_keys(self, delivery: Delivery) -> Delivery:
        """After KeyTaken. Raises LeaseLost when another agent committed the task."""
        delivery, record = await self.find(delivery)
        if record is not None:
            raise LeaseLost
        return delivery
