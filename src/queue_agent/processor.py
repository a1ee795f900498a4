"""One task on its way: prepare (decode, look for its record, fetch its inputs), run, and on to its ending."""

import asyncio
import json
import logging
import time
from dataclasses import dataclass, field

from contract.callback import Cause
from contract.metrics import FETCHED_BYTES
from contract.object_keys import REQUESTS_PREFIX, ObjectKeys
from contract.runtimes import TASK_TYPES, RuntimeType
from contract.wire import Order, UndecodableMessage, decode
from queue_agent.aws.queue import Lease
from queue_agent.delivery import Delivery
from queue_agent.errors import (
    AgentError,
    Interrupted,
    LeaseLost,
    PermanentError,
    RuntimeUnavailable,
    TaskTimeout,
    TransientError,
)
from queue_agent.inputs.fetcher import Fetcher
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.outcome.disposition import MAX_RECEIVES
from queue_agent.outcome.finisher import TaskFinisher
from queue_agent.outcome.notifier import Notifier
from queue_agent.outcome.store import Attempts, Store
from queue_agent.runtimes.base import Job, Result, RunMonitor, Runtime
from queue_agent.telemetry.tracing import Trace

log = logging.getLogger(__name__)

UNNOTED_RUNS = 1
"""A redelivered message of which nothing is noted was held by an agent that died without a word; most likely it ran."""

IDLE_LIMIT_SECONDS = 60
"""How long a stopped runtime may take until it is seen idle: one sampling step of a large batch on a slow GPU."""


INTERRUPT_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task that could start at once."""

    delivery: Delivery
    job: Job
    since: float = field(default_factory=time.time)
    """Wall clock, in seconds."""


class Processor:
    """Takes a leased message through its stages. Holds nothing of a task between calls."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        runtime_type: RuntimeType,
        fetcher: Fetcher,
        store: Store,
        notifier: Notifier,
        ending: TaskFinisher,
        bucket: str,
        task_timeout: float,
        max_attempts: int,
        running_callbacks: bool,
    ) -> None:
        self._runtime = runtime
        self._runtime_type = runtime_type
        self._fetcher = fetcher
        self._store = store
        self._notifier = notifier
        self._ending = ending
        self._bucket = bucket
        self._task_timeout = task_timeout
        self._max_attempts = max_attempts
        self._running_callbacks = running_callbacks

    async def prepare(self, lease: Lease) -> Prepared | None:
        """Make the task ready to start; None when it has ended already, one way or the other."""
        try:
            order = decode(lease.body)
        except UndecodableMessage as error:
            await self._ending.refuse(lease, error)
            return None
        delivery = self._opened(lease, order)
        try:
            if not delivery.first:
                with delivery.lease.trace.span("recall"):
                    recalled = await self._recall(delivery)
                if recalled is None:
                    return None
                delivery = recalled
            self._check_type(order)
            content = await self._content(order, lease.trace)
            files = await self._fetcher.fetch(content, lease.trace, prefix=order.metadata.prefix)
        except Exception as error:  # noqa: BLE001 - the fate of unknown errors is decided like any other
            await self._ending.settle(delivery, error)
            return None
        except asyncio.CancelledError:
            await self._ending.release(delivery)
            raise
        job = Job(id=order.metadata.id, tasktype=order.metadata.tasktype, content=content, files=files)
        return Prepared(delivery, job)

    async def run(self, prepared: Prepared, stop: Shutdown) -> Result | None:
        """Run the task; None when it went wrong and has been settled. ``stop.abort`` ends it and hands it back."""
        delivery = prepared.delivery.begun()
        trace = delivery.lease.trace
        trace.note(attempt=delivery.runs)
        trace.record("hold", prepared.since, time.time())
        notes = asyncio.create_task(self._announce(delivery))
        try:
            with trace.span("run", attempt=delivery.runs) as span:
                result = await self._run(prepared.job, delivery.lease, stop.abort)
                span.note(model=result.ran.model, outputs=len(result.outputs))
                return result
        except Exception as error:  # noqa: BLE001
            # A pod's containers stop together: a runtime that dies now is no fault of the task.
            ours = isinstance(error, RuntimeUnavailable) and stop.requested.is_set()
            await self._ending.settle(delivery, Interrupted("shutdown", "the pod is shutting down") if ours else error)
            return None
        finally:
            await asyncio.wait([notes])

    async def release(self, prepared: Prepared) -> None:
        """Give back a task that has not started."""
        await self._ending.release(prepared.delivery)

    async def release_unopened(self, lease: Lease) -> None:
        """Give back a message that came too late to be prepared."""
        try:
            delivery = self._opened(lease, decode(lease.body))
        except UndecodableMessage:
            await self._ending.release_unread(lease)
        else:
            await self._ending.release(delivery)

    async def finish(self, delivery: Delivery, result: Result, seconds: float) -> None:
        """Store, tell, delete; ``seconds`` is how long the run took. The task's inputs are not needed any more."""
        delivery = delivery.begun()
        try:
            await self._ending.complete(delivery, result, seconds)
        except asyncio.CancelledError:
            await self._ending.release(delivery)
            raise

    async def _recall(self, delivery: Delivery) -> Delivery | None:
        """What earlier deliveries left: None when the task has ended with that."""
        (keys, record), attempts = await asyncio.gather(
            self._store.find_record(delivery.keys), self._store.attempts(delivery.keys)
        )
        noted = attempts or Attempts(UNNOTED_RUNS)
        recalled = Delivery(delivery.lease, delivery.metadata, keys, noted.runs, noted.cause)
        if record is not None:
            await self._ending.repeat(recalled, record.callback)
            return None
        if noted.runs >= self._max_attempts or delivery.lease.receives >= MAX_RECEIVES:
            cause = noted.cause or Cause(type="agent-died", message="the agent died in each of them")
            await self._ending.settle(recalled, TransientError(cause.type, cause.message))
            return None
        return recalled

    def _opened(self, lease: Lease, order: Order) -> Delivery:
        metadata = order.metadata
        lease.trace.note(task_id=metadata.id, tasktype=metadata.tasktype.value)
        keys = ObjectKeys(self._bucket, metadata.prefix, metadata.id, lease.message_id, request_id=lease.request_id)
        return Delivery(lease, metadata, keys, runs=0 if lease.receives == 1 else None)

    def _check_type(self, order: Order) -> None:
        served = TASK_TYPES[self._runtime_type]
        if order.metadata.tasktype not in served:
            asked = order.metadata.tasktype
            raise PermanentError(
                "tasktype", f"{self._runtime_type} does not serve {asked}; it serves {', '.join(served)}"
            )

    async def _content(self, order: Order, trace: Trace) -> dict[str, object]:
        if order.content is not None:
            return order.content
        url = order.content_url or ""
        place = f"s3://{self._bucket}/"
        key = url.removeprefix(place)
        if not url.startswith(place) or not key.startswith(f"{REQUESTS_PREFIX}/"):
            raise PermanentError("content", "the message names a content outside the platform's own folder")
        try:
            with trace.span("fetch", link=url) as span:
                body = await self._fetcher.read_object(self._bucket, key)
                span.carry(FETCHED_BYTES, len(body))
            content = json.loads(body)
        except ValueError as error:
            raise PermanentError("content", "the stored content of the task is not JSON") from error
        if not isinstance(content, dict):
            raise PermanentError("content", "the stored content of the task is not a JSON object")
        return content

    async def _announce(self, delivery: Delivery) -> None:
        """Note the run where earlier ones are noted, and tell the caller that it began if that is wanted."""
        try:
            if not delivery.first:
                await self._store.note_attempts(delivery.keys, Attempts(delivery.runs or 1, delivery.last_cause))
            if self._running_callbacks:
                await self._notifier.notify(delivery.running())
        except AgentError as error:
            log.warning("a run was not announced", extra={"action": "note", "cause": str(error), **delivery.fields})

    async def _run(self, job: Job, lease: Lease, abort: asyncio.Event) -> Result:
        run = asyncio.create_task(
            self._runtime.run(await self._runtime.prepare(job), RunMonitor()), name=f"run {job.id}"
        )
        stop = [asyncio.create_task(abort.wait()), asyncio.create_task(lease.lost.wait())]
        try:
            done, _ = await asyncio.wait({run, *stop}, timeout=self._task_timeout, return_when=asyncio.FIRST_COMPLETED)
            if run in done:
                return await run
            await self._stop_runtime(run, abort)
            if stop[0] in done:
                raise Interrupted("shutdown", "this agent is shutting down")
            if stop[1] in done:
                raise LeaseLost
            raise TaskTimeout(self._task_timeout)
        finally:
            for task in (run, *stop):
                task.cancel()
            await asyncio.wait([run, *stop])

    async def _stop_runtime(self, run: asyncio.Task[Result], abort: asyncio.Event) -> None:
        """Interrupt until the runtime is seen idle, or gone: the next task would wait for what still runs."""
        deadline = asyncio.get_running_loop().time() + IDLE_LIMIT_SECONDS
        while not await self._runtime.interrupt():
            gone = run.done() and not run.cancelled() and isinstance(run.exception(), RuntimeUnavailable)
            if gone or abort.is_set():
                return
            if asyncio.get_running_loop().time() > deadline:
                log.error("the runtime does not stop", extra={"action": "interrupt"})
                return
            await asyncio.sleep(INTERRUPT_PAUSE_SECONDS)
