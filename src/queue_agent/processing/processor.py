"""One task on its way: prepare (decode, look for its record, fetch its inputs), run, and on to its outcome."""

import asyncio
import logging
import time
from dataclasses import replace
from functools import partial

from contract.callback import Cause
from contract.object_keys import ObjectKeys
from contract.task_table.writes import Refusal
from contract.wire import Order, UndecodableMessage, decode
from queue_agent.aws.journal import LeaseJournal
from queue_agent.aws.lease import Lease
from queue_agent.concurrency import Background, within
from queue_agent.errors import (
    AgentError,
    CalledOff,
    Interrupted,
    LeaseLost,
    LinkUnavailable,
    RuntimeBusy,
    RuntimeFault,
    RuntimeHung,
    RuntimeUnavailable,
    TaskExpired,
    TaskTimeout,
    TransientError,
)
from queue_agent.inputs.admission import Admission
from queue_agent.inputs.content import read_content
from queue_agent.inputs.fetcher import Fetcher
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.outcome.delivery import Delivery
from queue_agent.outcome.disposition import MAX_RECEIVES
from queue_agent.outcome.duplicates import Duplicates
from queue_agent.outcome.finisher import TaskFinisher
from queue_agent.outcome.ledger import Ledger
from queue_agent.outcome.revisits import LINK_PASSES, Revisits
from queue_agent.outcome.store import Attempts, Store
from queue_agent.processing.halt import error_of
from queue_agent.processing.look import Look
from queue_agent.processing.runner import Runner
from queue_agent.processing.stages import Completed, Failed, Prepared
from queue_agent.processing.tracking import Tracker, Tracking
from queue_agent.runtimes.base import Job, PreparedJob, Result, RunMonitor, Runtime
from queue_agent.settings import Timings

log = logging.getLogger(__name__)

PASS_ON_SECONDS = 2
"""For so long a task that failed here is left to other agents, each time that it comes back to this one."""

UNNOTED_RUNS = 1
"""A redelivered message of which nothing is noted was held by an agent that died without a word; most likely it ran."""


class Processor:
    """Takes a leased message through its stages. Holds nothing of a task between calls."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        admission: Admission,
        fetcher: Fetcher,
        store: Store,
        ledger: Ledger,
        tracker: Tracker,
        finisher: TaskFinisher,
        duplicates: Duplicates,
        bucket: str,
        task_timeout: float,
        max_attempts: int,
        timings: Timings,
        journal: LeaseJournal,
    ) -> None:
        self._runtime = runtime
        self._runner = Runner(runtime, task_timeout, timings)
        self._admission = admission
        self._fetcher = fetcher
        self._store = store
        self._ledger = ledger
        self._tracker = tracker
        self._finisher = finisher
        self._duplicates = duplicates
        self.refusals = Background()
        """What is no task is dead-lettered in the background: no task waits for that."""
        self._bucket = bucket
        self._task_timeout = task_timeout
        self._max_attempts = max_attempts
        self._timings = timings
        self._journal = journal
        self._revisits = Revisits()

    async def prepare(self, lease: Lease) -> Prepared | None:
        """Make the task ready to start; None when it has ended already, one way or the other."""
        try:
            order = decode(lease.body)
        except UndecodableMessage as error:
            self.refusals.spawn(self._finisher.refuse(lease, error))
            return None
        delivery = self.open(lease, order)
        look = Look(self._ledger, delivery, self._timings.look)
        try:
            if await self._duplicates.dismiss(delivery):
                return None
            if not delivery.first:
                with delivery.lease.trace.span("recall"):
                    recalled = await self._recall(delivery)
                if recalled is None:
                    return None
                delivery = recalled
            lease.check_deadline()
            if self._revisits.pass_on(lease.message_id):
                await self._finisher.release(delivery, PASS_ON_SECONDS)
                return None
            job = await self._prepare_job(order, lease)
            return Prepared(delivery, job) if await self._wanted(delivery, look) else None
        except Exception as error:  # noqa: BLE001 - what becomes of unknown errors is decided like any other
            if isinstance(error, LinkUnavailable):  # maybe from this node only
                self._revisits.add(lease.message_id, LINK_PASSES)
            await self._finisher.settle(delivery, error)
            return None
        except asyncio.CancelledError:
            await self._release_now(delivery)
            raise
        finally:
            await look.close()

    def open(self, lease: Lease, order: Order) -> Delivery:
        """The delivery of a message that was decoded; its earlier runs are not known unless it is the first."""
        metadata = order.metadata
        lease.trace.note(task_id=metadata.id, tasktype=metadata.tasktype.value)
        keys = ObjectKeys(self._bucket, metadata.prefix, metadata.id, lease.message_id, request_id=lease.request_id)
        return Delivery(lease, metadata, keys, runs=0 if lease.receives == 1 else None)

    async def prepare_adoption(self, delivery: Delivery, order: Order, job_ref: str) -> Prepared:
        """A task whose job is in the runtime already, so that its inputs are not fetched again. Raises AgentError."""
        content = await read_content(order, self._fetcher, self._bucket, delivery.lease.trace)
        job = Job(id=order.metadata.id, tasktype=order.metadata.tasktype, content=content)
        return Prepared(delivery, await self._runtime.prepare(job), job_ref)

    async def run(self, prepared: Prepared, shutdown: Shutdown) -> Completed | Failed:
        """Run the task. ``shutdown.abort`` interrupts it, as do a cancellation and its deadline."""
        try:
            prepared.delivery.lease.check_deadline()
        except TaskExpired as expired:
            return Failed(prepared.delivery, expired, expired)
        delivery = prepared.delivery.begun()
        trace = delivery.lease.trace
        trace.note(attempt=delivery.runs)
        trace.record("hold", prepared.since, time.time())
        tracking = self._tracker.begin(delivery)
        message_id = delivery.lease.message_id
        self._journal.begin(message_id, delivery.runs or 1)
        monitor = RunMonitor(partial(self._journal.accept, message_id))
        try:
            with trace.span("run", attempt=delivery.runs) as span:
                result = await self._runner.run(
                    partial(self._work, prepared), monitor, delivery.lease, shutdown.abort, tracking.halt
                )
                span.note(model=result.ran.model, outputs=len(result.outputs))
        except Exception as error:  # noqa: BLE001
            delivery = replace(delivery, seconds=monitor.seconds)
            return Failed(delivery, self._judged(error, delivery, shutdown, tracking), error, tracking)
        except asyncio.CancelledError:
            await tracking.cancel()
            await self._release_now(delivery.uncounted())
            raise
        finally:
            tracking.end()
        seconds = monitor.seconds
        return Completed(replace(delivery, seconds=seconds), result, seconds, tracking)

    async def _work(self, prepared: Prepared, monitor: RunMonitor) -> Result:
        if prepared.job_ref is None:
            return await self._runtime.run(prepared.job, monitor)
        result = await self._runtime.adopt(prepared.job, prepared.job_ref, monitor)
        if result is None:
            raise RuntimeUnavailable("runtime-gone", "the runtime does not know the job of the agent's predecessor")
        return result

    async def finish(self, completed: Completed) -> Failed | None:
        """Store, notify, delete; or discard the result of a run that the task table refused after its end.

        The failure, still to be settled, when the runtime does not give an output of the run.
        """
        try:
            refused = await completed.tracking.settled()
            if refused is not None:
                await completed.result.discard()
                await self._finisher.settle(completed.delivery, refused)
                return None
            await self._finisher.complete(completed.delivery, completed.result, completed.seconds)
        except RuntimeFault as fault:
            return Failed(completed.delivery, fault, fault, completed.tracking)
        except asyncio.CancelledError:
            await self._release_now(completed.delivery)
            raise
        return None

    async def settle(self, failed: Failed, *, counted: bool) -> None:
        """Decide what becomes of a task whose run failed; one that is not ``counted`` goes back as if not begun. What
        the task table refused after the run's end is called off."""
        error = failed.error
        if isinstance(error, RuntimeFault):
            self._revisits.add(failed.delivery.lease.message_id)
        try:
            refused = await failed.tracking.settled() if failed.tracking is not None else None
            if refused is not None and not isinstance(error, (Interrupted, LeaseLost)):
                error = refused
            if not counted and isinstance(error, AgentError) and not isinstance(error, CalledOff):
                error = Interrupted(error.type, error.message)
            await self._finisher.settle(failed.delivery, error)
        except asyncio.CancelledError:
            await self._release_now(failed.delivery)
            raise

    async def release(self, prepared: Prepared) -> None:
        """Give back a task that has not started."""
        await self._finisher.release(prepared.delivery)

    async def release_unopened(self, lease: Lease) -> None:
        """Give back a message that came too late to be prepared."""
        try:
            delivery = self.open(lease, decode(lease.body))
        except UndecodableMessage:
            await self._finisher.release_unread(lease)
        else:
            await self._release_now(delivery)

    async def _release_now(self, delivery: Delivery) -> None:
        """Give the message back within a time, also while this task is being cancelled; at worst its lease runs out."""
        try:
            await within(self._timings.release, self._finisher.release(delivery))
        except TimeoutError:
            log.warning("AWS is too slow to release the message", extra={"action": "hand_back", **delivery.fields})

    async def _prepare_job(self, order: Order, lease: Lease) -> PreparedJob:
        self._admission.check_type(order)
        readable = self._admission.readable_folders(order, lease.client)
        content = await read_content(order, self._fetcher, self._bucket, lease.trace)
        self._admission.check_content(order, content)
        files = await self._fetcher.fetch(content, lease.trace, readable=readable)
        job = Job(id=order.metadata.id, tasktype=order.metadata.tasktype, content=content, files=files)
        return await self._runtime.prepare(job)

    async def _recall(self, delivery: Delivery) -> Delivery | None:
        """What earlier deliveries left: None when the task has ended with that."""
        (keys, record), attempts = await asyncio.gather(
            self._store.find_record(delivery.keys), self._store.attempts(delivery.keys)
        )
        noted = attempts or Attempts(UNNOTED_RUNS)
        recalled = Delivery(delivery.lease, delivery.metadata, keys, noted.runs, noted.cause)
        if record is not None:
            await self._finisher.repeat(recalled, record)
            return None
        if noted.runs >= self._max_attempts or delivery.lease.receives >= MAX_RECEIVES:
            cause = noted.cause or Cause(type="agent-died", message="the agent died in each of them")
            await self._finisher.settle(recalled, TransientError(cause.type, cause.message))
            return None
        return recalled

    async def _wanted(self, delivery: Delivery, look: Look) -> bool:
        """Whether the task may run, as far as the task table knows. Raises the error that ends it otherwise."""
        refusal = await look.refusal()
        if refusal is Refusal.ENDED and not delivery.first:
            # Its record was looked for, and is gone by its age.
            await self._finisher.dismiss(delivery)
            return False
        error = error_of(refusal) if refusal is not None else None
        if error is not None:
            raise error
        return True

    def _judged(self, error: Exception, delivery: Delivery, shutdown: Shutdown, tracking: Tracking) -> Exception:
        """The error as the task's outcome sees it."""
        called_off = None if shutdown.abort.is_set() else tracking.halt.error
        if called_off is not None and not isinstance(error, LeaseLost):
            return called_off  # whatever the run came to, nobody wants another
        if isinstance(error, RuntimeBusy):
            return error
        if isinstance(error, RuntimeUnavailable) and shutdown.requested.is_set():
            # A pod's containers stop together: a runtime that dies now is no fault of the task.
            return Interrupted("shutdown", "the pod is shutting down")
        hung_before = delivery.last_cause is not None and delivery.last_cause.type == RuntimeHung.TYPE
        if isinstance(error, RuntimeHung) and hung_before:
            # Two runtimes ignored the interrupt: it is the task that cannot be stopped.
            return TaskTimeout(self._task_timeout)
        return error
