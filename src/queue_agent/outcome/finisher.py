"""How a task ends: stored, sent, deleted; or back in the queue; or a dead letter. Every accepted task ends here.

Once the record is stored its outcome is decided. What fails after that is repeated, here or by the next delivery, and
never leads to another outcome.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from contract.callback import GAVE_UP, Callback, Cause, Status
from contract.metrics import IMAGES, MODEL_SWITCHES, RELEASES, RETRIES, TASKS
from contract.wire import UndecodableMessage
from queue_agent.aws.lease import Lease
from queue_agent.aws.queue import Queue
from queue_agent.concurrency import within
from queue_agent.errors import AgentError, LeaseLost, RuntimeFault, TaskCanceled
from queue_agent.outcome.closer import Closer
from queue_agent.outcome.delivery import Delivery
from queue_agent.outcome.delivery_health import DeliveryHealth
from queue_agent.outcome.delivery_retry import DeliveryRetry, RetryTimings
from queue_agent.outcome.disposition import Disposition, decide, retry_delay
from queue_agent.outcome.ledger import Ledger
from queue_agent.outcome.notifier import Notifier
from queue_agent.outcome.recorder import OutcomeRecorder, Recorded
from queue_agent.outcome.store import Attempts, Record, Store
from queue_agent.runtimes.base import Result
from queue_agent.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

NOTE_SECONDS = 3.0
"""To note an attempt, or delete what a predecessor notified: neither must hold up a stop or a start."""

REFUSE_SECONDS = 60.0
"""How long this agent tries to dead-letter a message that is no task before it gives it back to the queue: it holds no
result, and there may be any number of such messages."""


class TaskFinisher:
    """Ends deliveries. Only ``complete`` raises, and all on cancellation: what cannot be ended goes back to the queue.

    ``health`` says whether results can be delivered at present.
    """

    def __init__(
        self,
        *,
        queue: Queue,
        store: Store,
        notifier: Notifier,
        ledger: Ledger,
        metrics: Metrics,
        runtime_name: str,
        max_attempts: int,
        timings: RetryTimings | None = None,
    ) -> None:
        self._queue = queue
        self._metrics = metrics
        self._model: str | None = None
        self._store = store
        self._ledger = ledger
        self._runtime_name = runtime_name
        self._max_attempts = max_attempts
        self.health = DeliveryHealth(metrics)
        timings = timings or RetryTimings()
        self._retry = DeliveryRetry(self.health, timings)
        self._recorder = OutcomeRecorder(store, self._retry)
        self._closer = Closer(queue=queue, notifier=notifier, ledger=ledger, retry=self._retry, timings=timings)

    async def complete(self, delivery: Delivery, result: Result, seconds: float) -> None:
        """Store the result, send the callback, delete the message, and let the runtime drop the outputs. ``seconds``:
        how long the run took.

        Raises RuntimeFault, and leaves the message to be settled, when the runtime does not give an output.
        """
        self._count_switch(result.ran.model)
        try:
            with delivery.lease.trace.span("store") as span:
                recorded = await self._recorder.record_result(delivery, result, seconds, span)
                span.note(pictures=len(recorded.outputs))
        except RuntimeFault:
            await result.discard()
            raise
        except Exception as error:  # noqa: BLE001 - what follows from unknown errors is decided like any other
            await self.settle(delivery, error)
            await result.discard()
            return
        self._metrics.add(IMAGES, amount=len(recorded.outputs))
        self._metrics.add(TASKS, "completed", "")
        if await self._close(recorded):
            log.info(
                "task completed",
                extra={
                    "action": "completed",
                    "pictures": len(recorded.outputs),
                    "run_s": round(seconds, 3),
                    **recorded.delivery.fields,
                },
            )
        await result.discard()

    async def repeat(self, delivery: Delivery, record: Record) -> None:
        """Send the callback that an earlier delivery recorded, without another run, and end the message."""
        if await self._close(Recorded.earlier(delivery, record)):
            self._metrics.add(TASKS, "repeated", "")
            log.info("callback re-sent from the stored result", extra={"action": "repeated", **delivery.fields})

    async def dismiss(self, delivery: Delivery) -> None:
        """Delete a message whose task has ended, or is another message's, without a callback."""
        if await self._ended(delivery, self._closer.delete(delivery.lease)):
            self._metrics.add(TASKS, "repeated", "duplicate")
            log.info("duplicate message deleted", extra={"action": "duplicate", **delivery.fields})

    async def delete_notified(self, delivery: Delivery) -> None:
        """Delete a message whose callback a predecessor sent; if that fails, it goes back to the queue."""
        lease = delivery.lease
        deletion = self._retry.attempt(lease, lambda: self._queue.delete(lease), seconds=NOTE_SECONDS)
        await self._ended(delivery, deletion)

    async def settle(self, delivery: Delivery, error: Exception) -> None:
        """Decide what becomes of the message after ``error``, and do it."""
        disposition = decide(
            error, runs=delivery.runs or 0, receives=delivery.lease.receives, max_attempts=self._max_attempts
        )
        cause = _cause(error)
        if disposition is not Disposition.CALL_OFF:
            _log_failure(disposition, cause, error, delivery)
            delivery.lease.trace.error(cause.type, cause.message)
        await self._ended(delivery, self._carry_out(disposition, delivery, cause))

    async def refuse(self, lease: Lease, error: UndecodableMessage) -> None:
        """A message that is no task: a failed callback if an id can be read, and the dead-letter queue.

        May run in the background; when it is cancelled, the message goes back to the queue.
        """
        log.error(
            "a message is no task; it goes to the dead-letter queue",
            extra={"action": "undecodable", "cause": str(error), **lease.fields},
        )
        lease.trace.error("undecodable", str(error))
        try:
            await self._retry.attempt(lease, lambda: self._refuse(lease, error), seconds=REFUSE_SECONDS)
        except asyncio.CancelledError:
            await self._queue.release(lease)
            raise
        except LeaseLost:
            await self._queue.abandon(lease)
        except Exception as failure:  # noqa: BLE001
            log.warning(
                "the message could not be dead-lettered; it goes back to the queue",
                extra={"action": "retry", "cause": str(failure), **lease.fields},
            )
            await self._queue.release(lease, retry_delay(lease.receives))
        else:
            self._metrics.add(TASKS, "undecodable", "")

    async def release(self, delivery: Delivery, delay: int = 0) -> None:
        """Give the message back, to be received after ``delay`` seconds. What was not begun, or was stopped by this
        agent, does not count as a run. Takes a few seconds at most."""
        self._metrics.add(RELEASES)
        await asyncio.gather(self._note(delivery, delivery.last_cause), self._requeue(delivery))
        await self._queue.release(delivery.lease, delay)
        log.info("task released", extra={"action": "handed_back", **delivery.fields})

    async def release_unread(self, lease: Lease) -> None:
        """Give back a message that nobody looked into."""
        self._metrics.add(RELEASES)
        await self._queue.release(lease)

    async def _carry_out(self, disposition: Disposition, delivery: Delivery, cause: Cause) -> None:
        lease = delivery.lease
        match disposition:
            case Disposition.FAIL:
                recorded = await self._recorder.record_failure(delivery, cause)
                self._metrics.add(TASKS, "failed", cause.type)
                await self._close(recorded)
            case Disposition.CALL_OFF:
                await self._call_off(delivery, cause)
            case Disposition.DEAD_LETTER:
                await self._give_up(delivery, cause)
            case Disposition.RETRY:
                self._metrics.add(RETRIES, cause.type)
                await asyncio.gather(self._note(delivery, cause), self._requeue(delivery))
                await self._queue.release(lease, retry_delay(lease.receives))
            case Disposition.RELEASE:
                await self.release(delivery.uncounted())
            case Disposition.ABANDON:
                if lease.lost_cause is not None and delivery.first:
                    # Nothing is noted of a first delivery; only if the next agent has noted nothing either.
                    await self._note(delivery, lease.lost_cause, fresh=True)
                await self._queue.abandon(lease)

    async def _give_up(self, delivery: Delivery, cause: Cause) -> None:
        """The failed callback and the dead letter, unless an earlier delivery committed an outcome: that one counts."""
        delivery, record = await self._recorder.find(delivery)
        if record is not None:
            await self.repeat(delivery, record)
            return
        message = f"gave up after {_attempts(delivery.runs or 0)}: {cause.message}"
        recorded = await self._recorder.record_failure(delivery, Cause(type=GAVE_UP, message=message))
        self._metrics.add(TASKS, "given_up", cause.type)
        await self._close(recorded)

    async def _call_off(self, delivery: Delivery, cause: Cause) -> None:
        """Record, callback and deletion of a task whose result nobody wants any more. The cause's type is the task's
        status. A cancellation that came before the deadline counts."""
        if cause.type == Status.EXPIRED and await self._ledger.was_canceled(delivery):
            cause = TaskCanceled().cause
        recorded = await self._recorder.record_failure(delivery, cause, Status(cause.type))
        self._metrics.add(TASKS, cause.type, "")
        if await self._close(recorded):
            log.info(cause.message, extra={"action": cause.type, "run_s": delivery.seconds, **delivery.fields})

    async def _close(self, recorded: Recorded) -> bool:
        """Send the recorded callback, then delete or dead-letter the message. Whether that is done."""
        return await self._ended(recorded.delivery, self._closer.close(recorded))

    async def _refuse(self, lease: Lease, error: UndecodableMessage) -> None:
        if error.task_id is not None:
            await self._closer.notify_once(lease, self._refused(error, error.task_id))
        await self._queue.dead_letter(lease, str(error))

    async def _ended(self, delivery: Delivery, ending: Coroutine[Any, Any, None]) -> bool:
        """Whether the ending went well. If not, the message is left to the agent that has it, or goes back to the
        queue: the next delivery continues from what is recorded."""
        try:
            await ending
        except LeaseLost as error:
            log.warning(error.message, extra={"action": "drop", **delivery.fields})
            await self._queue.abandon(delivery.lease)
        except Exception as failure:
            log.exception(
                "the task could not be ended; it goes back to the queue",
                extra={"action": "retry", "cause": str(failure), **delivery.fields},
            )
            await self._queue.release(delivery.lease, retry_delay(delivery.lease.receives))
        else:
            return True
        return False

    def _count_switch(self, model: str | None) -> None:
        if model is not None and self._model not in {None, model}:
            self._metrics.add(MODEL_SWITCHES)
        self._model = model or self._model

    async def _note(self, delivery: Delivery, cause: Cause | None, *, fresh: bool = False) -> None:
        """Note for the next agent how often the task ran; what this one does not know is not overwritten."""
        if delivery.runs is None:
            return
        try:
            attempts = Attempts(delivery.runs, cause)
            await within(NOTE_SECONDS, self._store.note_attempts(delivery.keys, attempts, fresh=fresh))
        except (AgentError, TimeoutError) as error:
            log.warning("an attempt was not noted", extra={"action": "note", "cause": str(error), **delivery.fields})

    async def _requeue(self, delivery: Delivery) -> None:
        """Note in the task table that the task waits again, if this delivery began to run it."""
        if not delivery.started:
            return
        try:
            await within(NOTE_SECONDS, self._ledger.requeue(delivery))
        except (AgentError, TimeoutError) as error:
            log.warning("a requeue was not noted", extra={"action": "requeue", "cause": str(error), **delivery.fields})

    def _refused(self, error: UndecodableMessage, task_id: str) -> Callback:
        return Callback(
            id=task_id,
            result=False,
            context=error.context,
            runtime=self._runtime_name,
            status=Status.FAILED,
            error=Cause(type="undecodable", message=str(error)),
        )


def _attempts(runs: int) -> str:
    return "1 attempt" if runs == 1 else f"{runs} attempts"


def _cause(error: Exception) -> Cause:
    if isinstance(error, AgentError):
        return error.cause
    return Cause(type="unknown", message=f"{type(error).__name__}: {error}")


def _log_failure(disposition: Disposition, cause: Cause, error: Exception, delivery: Delivery) -> None:
    known = isinstance(error, AgentError)
    log.log(
        logging.WARNING if known else logging.ERROR,
        "task did not complete",
        extra={
            "action": disposition.value.replace(" ", "_"),
            "cause_type": cause.type,
            "cause": cause.message,
            **delivery.fields,
        },
        exc_info=None if known else error,
    )
