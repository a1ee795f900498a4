"""How a task ends: stored, told, deleted; or back in the queue; or buried. Every accepted task comes through here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from contract.callback import Callback, Cause, Status
from contract.metrics import IMAGES, MODEL_SWITCHES, RELEASES, RETRIES, TASKS
from contract.wire import UndecodableMessage
from queue_agent.aws.queue import Lease, Queue
from queue_agent.delivery import Delivery
from queue_agent.errors import AgentError, LeaseLost, RuntimeUnavailable, TransientError
from queue_agent.outcome.disposition import Disposition, decide, retry_delay
from queue_agent.outcome.notifier import Notifier
from queue_agent.outcome.store import Attempts, KeyTaken, Store
from queue_agent.runtimes.base import Result
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Span

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_SECONDS = 300
"""How long an ending waits for S3, SNS or SQS to come back while it holds a result that GPU time was paid for."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0

NOTE_SECONDS = 3
"""Noting an attempt is a courtesy to the next agent; it must not hold up a shutdown."""


class TaskFinisher:
    """Ends deliveries. Nothing here raises, save on cancellation: what cannot be ended goes back to the queue."""

    def __init__(
        self,
        *,
        queue: Queue,
        store: Store,
        notifier: Notifier,
        metrics: Metrics,
        runtime_name: str,
        max_attempts: int,
    ) -> None:
        self._queue = queue
        self._metrics = metrics
        self._model: str | None = None
        self._store = store
        self._notifier = notifier
        self._runtime_name = runtime_name
        self._max_attempts = max_attempts

    async def complete(self, delivery: Delivery, result: Result, seconds: float) -> None:
        """Store the result, tell the caller, delete the message."""
        self._count_switch(result.ran.model)
        try:
            with delivery.lease.trace.span("store") as span:
                delivery, callback = await self._commit(delivery, result, seconds, span)
                span.note(pictures=len(callback.image_url))
            await self._close(delivery.lease, callback)
        except Exception as error:  # noqa: BLE001 - the fate of unknown errors is decided like any other
            await self.settle(delivery, error)
            return
        self._metrics.add(IMAGES, amount=len(callback.image_url))
        self._metrics.add(TASKS, "completed", "")
        log.info(
            "task completed",
            extra={
                "action": "completed",
                "pictures": len(callback.image_url),
                "run_s": round(seconds, 3),
                **delivery.fields,
            },
        )

    async def repeat(self, delivery: Delivery, callback: Callback) -> None:
        """Tell the caller again what an earlier delivery committed, without another run."""
        try:
            await self._close(delivery.lease, callback)
        except Exception as error:  # noqa: BLE001
            await self.settle(delivery, error)
            return
        self._metrics.add(TASKS, "repeated", "")
        log.info("task told again from its record", extra={"action": "repeated", **delivery.fields})

    async def settle(self, delivery: Delivery, error: Exception) -> None:
        """Decide what becomes of the message after ``error``, and do it."""
        disposition = decide(
            error, runs=delivery.runs or 0, receives=delivery.lease.receives, max_attempts=self._max_attempts
        )
        cause = _cause(error)
        _log_failure(disposition, cause, error, delivery)
        try:
            await self._carry_out(disposition, delivery, cause)
        except Exception as failure:  # noqa: BLE001
            log.warning(
                "the task could not be ended; it goes back to the queue",
                extra={"action": "retry", "cause": str(failure), **delivery.fields},
            )
            await self._queue.release(delivery.lease, retry_delay(delivery.lease.receives))

    async def refuse(self, lease: Lease, error: UndecodableMessage) -> None:
        """A message that is no task: a failed callback if an id can be read, and the dead-letter queue."""
        log.error(
            "a message is no task; it goes to the dead-letter queue",
            extra={"action": "undecodable", "cause": str(error), **lease.fields},
        )
        self._metrics.add(TASKS, "undecodable", "")
        lease.trace.error("undecodable", str(error))
        try:
            if error.task_id is not None:
                cause = Cause(type="undecodable", message=str(error))
                await self._notify(lease, self._stray(error, cause))
            await self._patiently(lease, lambda: self._queue.dead_letter(lease, str(error)))
        except Exception as failure:  # noqa: BLE001
            log.warning(
                "the message could not be buried; it goes back to the queue",
                extra={"action": "retry", "cause": str(failure), **lease.fields},
            )
            await self._queue.release(lease, retry_delay(lease.receives))

    async def release(self, delivery: Delivery) -> None:
        """Give the message back at once. What was not begun, or was stopped by this agent, does not count as a run."""
        self._metrics.add(RELEASES)
        await self._note(delivery, delivery.last_cause)
        await self._queue.release(delivery.lease)
        log.info("task handed back", extra={"action": "handed_back", **delivery.fields})

    async def release_unread(self, lease: Lease) -> None:
        """Give back a message that nobody looked into."""
        self._metrics.add(RELEASES)
        await self._queue.release(lease)

    async def _commit(
        self, delivery: Delivery, result: Result, seconds: float, span: Span
    ) -> tuple[Delivery, Callback]:
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
                urls = await self._patiently(
                    lease,
                    lambda: self._store.put_outputs(keys, result.outputs, span, fresh=fresh),  # noqa: B023
                )
                callback = delivery.completed(urls)
                task = {"callback": callback.model_dump(), "ran": ran}
                await self._patiently(
                    lease,
                    lambda: self._store.put_record(keys, result.answer(urls), task, delivery.run_id),  # noqa: B023
                )
            except KeyTaken:
                delivery, fresh = await self._resolve(delivery), False
            else:
                return delivery, callback

    async def _resolve(self, delivery: Delivery) -> Delivery:
        """After KeyTaken: the places this message may use. Raises LeaseLost when another agent committed it."""
        keys, record = await self._patiently(delivery.lease, lambda: self._store.find_record(delivery.keys))
        if record is not None:
            raise LeaseLost
        return replace(delivery, keys=keys)

    async def _carry_out(self, disposition: Disposition, delivery: Delivery, cause: Cause) -> None:
        lease = delivery.lease
        lease.trace.error(cause.type, cause.message)
        match disposition:
            case Disposition.FAIL:
                self._metrics.add(TASKS, "failed", cause.type)
                await self._close(lease, await self._commit_failure(delivery, cause))
            case Disposition.DEAD_LETTER:
                self._metrics.add(TASKS, "given_up", cause.type)
                given_up = Cause(
                    type="gave-up", message=f"gave up after {_attempts(delivery.runs or 0)}: {cause.message}"
                )
                callback = await self._final_callback(delivery, given_up)
                lease.check()
                await self._notify(lease, callback)
                await self._patiently(lease, lambda: self._queue.dead_letter(lease, given_up.message))
            case Disposition.RETRY:
                self._metrics.add(RETRIES, cause.type)
                await self._note(delivery, cause)
                await self._queue.release(lease, retry_delay(lease.receives))
            case Disposition.RELEASE:
                await self.release(replace(delivery, runs=(delivery.runs or 1) - 1))
            case Disposition.ABANDON:
                await self._queue.abandon(lease)

    async def _commit_failure(self, delivery: Delivery, cause: Cause) -> Callback:
        """The failure is a result too: recorded, so that a redelivery tells it again instead of running again."""
        while True:
            keys, callback = delivery.keys, delivery.failed(cause)
            task = {"callback": callback.model_dump()}
            try:
                await self._patiently(
                    delivery.lease,
                    lambda: self._store.put_record(keys, {}, task, delivery.run_id),  # noqa: B023
                )
            except KeyTaken:
                delivery = await self._resolve(delivery)
            else:
                return callback

    async def _final_callback(self, delivery: Delivery, cause: Cause) -> Callback:
        """The failed callback, recorded if S3 takes it: that S3 is down may be the very reason for giving up."""
        callback = delivery.failed(cause)
        try:
            task = {"callback": callback.model_dump()}
            await self._store.put_record(delivery.keys, {}, task, delivery.run_id)
        except (TransientError, KeyTaken):
            return callback.model_copy(update={"output_url": None})
        return callback

    async def _close(self, lease: Lease, callback: Callback) -> None:
        lease.check()
        await self._notify(lease, callback)
        await self._patiently(lease, lambda: self._queue.delete(lease))

    async def _notify(self, lease: Lease, callback: Callback) -> None:
        with lease.trace.span("notify", status=callback.status.value):
            await self._patiently(lease, lambda: self._notifier.notify(callback))

    def _count_switch(self, model: str | None) -> None:
        if model is not None and self._model not in {None, model}:
            self._metrics.add(MODEL_SWITCHES)
        self._model = model or self._model

    async def _note(self, delivery: Delivery, cause: Cause | None) -> None:
        """Tell the next agent how often the task ran; what is not known to this one is not overwritten."""
        if delivery.runs is None:
            return
        try:
            async with asyncio.timeout(NOTE_SECONDS):
                await self._store.note_attempts(delivery.keys, Attempts(delivery.runs, cause))
        except (AgentError, TimeoutError) as error:
            log.warning("an attempt was not noted", extra={"action": "note", "cause": str(error), **delivery.fields})

    def _stray(self, error: UndecodableMessage, cause: Cause) -> Callback:
        return Callback(
            id=error.task_id or "",
            result=False,
            context=error.context,
            runtime=self._runtime_name,
            status=Status.FAILED,
            error=cause,
        )

    async def _patiently(self, lease: Lease, action: Callable[[], Awaitable[T]]) -> T:
        """Repeat the action while AWS is down, for PATIENCE_SECONDS and as long as the message is ours."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + PATIENCE_SECONDS, FIRST_PAUSE
        while True:
            lease.check()
            try:
                return await action()
            except RuntimeUnavailable:
                raise
            except TransientError as error:
                if loop.time() + pause > deadline:
                    raise
                log.warning(
                    "AWS does not answer; trying again",
                    extra={"action": "wait", "cause": error.message, **lease.fields},
                )
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)


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
