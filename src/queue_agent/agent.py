"""The agent's loop: while the runtime works on one task, the next is fetched and the last is stored."""

import asyncio
import logging
from typing import TYPE_CHECKING

from queue_agent.aws.queue import Queue
from queue_agent.delivery import Delivery
from queue_agent.errors import AgentError
from queue_agent.lifecycle.readiness import Readiness
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.prefetch import Prefetch
from queue_agent.processor import Prepared, Processor
from queue_agent.runtimes.base import Result, Runtime
from queue_agent.telemetry.metrics import GpuClock

if TYPE_CHECKING:
    from queue_agent.lifecycle.pod_deletion_cost import DeletionCost

log = logging.getLogger(__name__)

MAX_FINISHING = 4
"""Results on their way to S3 while the runtime goes on; more of them would only fill memory while S3 is slow."""

PROGRESS_POLL_SECONDS = 1.0
"""How often a running task's progress is asked for; tasks shorter than this are paced by what earlier ones took."""

QUICK_SECONDS = 1.0
"""A receive that took longer was waiting for work, which says nothing of how long a receive takes."""

RECEIVE_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between receives while SQS does not answer."""

CLOSING_SECONDS = 2.0
"""What is about to be told and deleted gets this long when everything is to be handed back now."""


class Agent:
    """Feeds one runtime from one queue until stopped."""

    def __init__(
        self,
        *,
        queue: Queue,
        processor: Processor,
        runtime: Runtime,
        readiness: Readiness,
        stop: Shutdown,
        grace: float,
        gpu: GpuClock,
        cost: "DeletionCost | None" = None,
    ) -> None:
        self._queue = queue
        self._gpu = gpu
        self._processor = processor
        self._runtime = runtime
        self._readiness = readiness
        self._stop = stop
        self._grace = grace
        self._cost = cost
        self._pace = Prefetch()
        self._finishing: set[asyncio.Task[None]] = set()
        self._receiving = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self) -> None:
        """Work until told to stop, then finish or hand back what is held.

        Raises RuntimeUnavailable when the runtime stays away for too long.
        """
        watch = asyncio.create_task(self._watch(), name="watch the runtime")
        grace = asyncio.create_task(self._enforce_grace(), name="grace")
        try:
            await self._work()
            await self._finish_all()
            await watch
        finally:
            for task in (watch, grace):
                task.cancel()
            await asyncio.wait([watch, grace])
        log.info("stopped", extra={"action": "stopped"})

    async def _watch(self) -> None:
        try:
            await self._readiness.watch(self._stop)
        except AgentError as error:
            log.error("the runtime stayed away", extra={"action": "runtime_away", "cause": error.message})  # noqa: TRY400
            self._stop.request()
            raise

    async def _enforce_grace(self) -> None:
        await self._stop.requested.wait()
        await asyncio.sleep(self._grace)
        log.warning("the grace is over; handing back what still runs", extra={"action": "grace_over"})
        self._stop.abort.set()

    async def _work(self) -> None:
        stopped = asyncio.create_task(self._stop.requested.wait())
        upcoming = asyncio.create_task(self._next())
        current: asyncio.Task[None] | None = None
        try:
            while True:
                await asyncio.wait({upcoming, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if self._stop.requested.is_set():
                    break
                current = self._begin(await upcoming)
                upcoming = asyncio.create_task(self._upcoming())
                await asyncio.wait({current, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if self._stop.requested.is_set():
                    break
                await current
        finally:
            stopped.cancel()
            self._stop.requested.set()  # also when cancelled: nothing more is taken
            await self._release_upcoming(upcoming)
            if current is not None:
                await current

    def _begin(self, prepared: Prepared | None) -> asyncio.Task[None]:
        assert prepared is not None, "only a stop ends the search for a task"
        self._idle.clear()
        if self._cost:
            self._cost.busy()
        return asyncio.create_task(self._execute(prepared))

    async def _execute(self, prepared: Prepared) -> None:
        """Run the task and leave the rest to the background."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            if not self._readiness.ready.is_set():
                await self._processor.release(prepared)
                return
            self._readiness.running = True
            self._gpu.begin()
            result = await self._processor.run(prepared, self._stop)
        finally:
            self._gpu.end()
            self._readiness.running = False
            self._idle.set()
            if self._cost:
                self._cost.idle()
        seconds = loop.time() - began
        if result is None:
            await self._check_readiness()
            return
        self._pace.run.add(seconds)
        await self._finish(prepared.delivery, result, seconds)

    async def _check_readiness(self) -> None:
        try:
            await self._readiness.check()
        except AgentError:
            log.debug("the watch will say so too")

    async def _finish(self, delivery: Delivery, result: Result, seconds: float) -> None:
        task = asyncio.create_task(self._processor.finish(delivery, result, seconds))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        while len(self._finishing) >= MAX_FINISHING:
            await asyncio.wait(self._finishing, return_when=asyncio.FIRST_COMPLETED)

    async def _upcoming(self) -> Prepared | None:
        """The next task, taken shortly before the running one ends."""
        loop = asyncio.get_running_loop()
        began, progress = loop.time(), None
        while not self._idle.is_set() and not self._stop.requested.is_set():
            wait = self._pace.wait(loop.time() - began, progress)
            if wait is not None and wait <= 0:
                break
            await self._until_idle(PROGRESS_POLL_SECONDS if wait is None else min(wait, PROGRESS_POLL_SECONDS))
            if not self._idle.is_set() and loop.time() - began >= PROGRESS_POLL_SECONDS:
                progress = await self._runtime.progress()
        return await self._next()

    async def _until_idle(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return

    async def _next(self) -> Prepared | None:
        """Receive until a task can start; None when it is time to stop."""
        loop = asyncio.get_running_loop()
        failures = 0
        while await self._ready_or_stopped():
            began = loop.time()
            self._receiving = True
            try:
                lease = await self._queue.receive()
            except AgentError as error:
                pause = RECEIVE_PAUSES[min(failures, len(RECEIVE_PAUSES) - 1)]
                log.warning(
                    "could not receive; trying again",
                    extra={"action": "receive", "cause": error.message, "pause_s": pause},
                )
                failures += 1
                await self._stop.pause(pause)
                continue
            finally:
                self._receiving = False
            failures = 0
            received = loop.time()
            if lease is None:
                continue
            if self._stop.requested.is_set() or not (self._readiness.running or self._readiness.ready.is_set()):
                await self._processor.release_unopened(lease)
                continue
            prepared = await self._processor.prepare(lease)
            if prepared is not None:
                receiving = received - began
                spent = loop.time() - received + (receiving if receiving < QUICK_SECONDS else 0.0)
                self._pace.preparation.add(spent)
                return prepared
        return None

    async def _ready_or_stopped(self) -> bool:
        """Wait until the runtime is ready; False when the agent stops."""
        while not self._stop.requested.is_set() and not self._readiness.ready.is_set():
            waits = [
                asyncio.create_task(self._readiness.ready.wait()),
                asyncio.create_task(self._stop.requested.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        return not self._stop.requested.is_set()

    async def _release_upcoming(self, upcoming: asyncio.Task[Prepared | None]) -> None:
        """Hand back what has not started. A poll on its way is let to its end: cut off, it may swallow a message."""
        aborted = asyncio.create_task(self._stop.abort.wait())
        if not self._receiving:
            upcoming.cancel()
        await asyncio.wait({upcoming, aborted}, return_when=asyncio.FIRST_COMPLETED)
        aborted.cancel()
        upcoming.cancel()
        await asyncio.wait([upcoming])
        if not upcoming.cancelled() and upcoming.exception() is None:
            prepared = upcoming.result()
            if prepared is not None:
                await self._processor.release(prepared)

    async def _finish_all(self) -> None:
        aborted = asyncio.create_task(self._stop.abort.wait())
        while self._finishing and not self._stop.abort.is_set():
            await asyncio.wait({*self._finishing, aborted}, return_when=asyncio.FIRST_COMPLETED)
        aborted.cancel()
        if self._finishing:
            await asyncio.wait(self._finishing, timeout=CLOSING_SECONDS)
        late = set(self._finishing)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
