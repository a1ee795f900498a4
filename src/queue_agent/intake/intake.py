"""Takes messages and prepares their tasks, so that one is ready when the runtime is, and none waits behind it."""

import asyncio
import logging
from collections import deque

from queue_agent.aws.lease import Lease
from queue_agent.aws.queue import Queue
from queue_agent.concurrency import Background, any_set, cancel_all, until_done_or
from queue_agent.errors import AgentError
from queue_agent.intake.prefetch import Prefetch
from queue_agent.intake.recovery import Recovery
from queue_agent.lifecycle.runtime_state import RuntimeState
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.processing.processor import Processor
from queue_agent.processing.stages import Prepared
from queue_agent.runtimes.base import Runtime
from queue_agent.settings import Timings

log = logging.getLogger(__name__)

MAX_PREPARING = 3
"""Tasks whose inputs are fetched at the same time, when those of the first are slow. Each may hold as much memory as a
task's links may."""

PROGRESS_POLL_SECONDS = 1.0
"""How often a running task's progress is asked for; shorter tasks are timed by what earlier ones took."""

QUICK_SECONDS = 1.0
"""A receive that took longer was waiting for work, which says nothing of how long a receive takes."""


class Intake:
    """``run`` takes and prepares until the shutdown; ``next`` hands out what is ready."""

    def __init__(
        self,
        *,
        queue: Queue,
        processor: Processor,
        recovery: Recovery,
        runtime: Runtime,
        state: RuntimeState,
        deliverable: asyncio.Event,
        shutdown: Shutdown,
        timings: Timings,
    ) -> None:
        self.prefetch = Prefetch()
        self.newest: float | None = None
        """When the newest message that was taken was sent, in seconds of the wall clock."""
        self._queue = queue
        self._processor = processor
        self._recovery = recovery
        self._runtime = runtime
        self._state = state
        self._deliverable = deliverable
        self._shutdown = shutdown
        self._timings = timings
        self._ready: deque[Prepared] = deque()
        self._preparing = Background()
        self._last_taken = 0.0
        self._progress: float | None = None
        self._changed = asyncio.Event()
        self._arrived = asyncio.Event()
        self._ended = asyncio.Event()
        state.on_change(self._changed.set)

    async def run(self) -> None:
        """Recover what a predecessor held, take and prepare until the shutdown, then release what has not started.

        A poll on its way is let to its end: cut off, it may swallow a message until its lease expires.
        """
        failures = 0
        try:
            for prepared in await self._recovery.recover():
                self._ready.append(prepared)
                self._arrived.set()
            while await self._until_wanted():
                failures = 0 if await self._take_next(failures) else failures + 1
            await self._release_all()
        finally:
            self._ended.set()

    async def watch(self) -> None:
        """Raise what a preparation raises against its contract."""
        await self._preparing.watch()

    async def next(self) -> Prepared | None:
        """The task that is ready first; None when it is time to stop."""
        while not self._shutdown.requested.is_set():
            if self._ready:
                self._changed.set()
                return self._ready.popleft()
            self._arrived.clear()
            await any_set(self._arrived, self._shutdown.requested)
        return None

    async def close(self) -> None:
        """Return when everything that has not started is released."""
        await any_set(self._ended, self._shutdown.abort)
        await self._release_all()

    async def _release_all(self) -> None:
        await self._preparing.cancel()
        releases = [asyncio.create_task(self._processor.release(prepared)) for prepared in self._ready]
        self._ready.clear()
        if releases:
            await asyncio.wait(releases)

    async def _take_next(self, failures: int) -> bool:
        """Receive one message, if there is one; False when SQS does not answer, after a pause."""
        polled = asyncio.get_running_loop().time()
        try:
            lease = await self._queue.receive()
        except AgentError as error:
            await self._pause_after(error, failures)
            return False
        if lease is not None:
            await self._take(lease, polled)
        return True

    async def _take(self, lease: Lease, polled: float) -> None:
        received = asyncio.get_running_loop().time()
        self.newest = max(self.newest or lease.sent, lease.sent)
        if self._shutdown.requested.is_set() or not self._wants_tasks():
            # Nothing else is to be taken, and as one of the preparations it would be cancelled with them.
            await self._processor.release_unopened(lease)
            return
        self._last_taken = received
        receiving = received - polled
        self._preparing.spawn(self._prepare(lease, receiving if receiving < QUICK_SECONDS else 0.0))

    async def _prepare(self, lease: Lease, receiving: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        prepared = await self._processor.prepare(lease)
        if prepared is not None:
            self.prefetch.preparation.add(loop.time() - began + receiving)
            self._ready.append(prepared)
            self._arrived.set()
        self._changed.set()

    async def _until_wanted(self) -> bool:
        """Wait until another message is to be taken; False when it is time to stop."""
        while not self._shutdown.requested.is_set():
            if not self._deliverable.is_set():
                await any_set(self._deliverable, self._shutdown.requested)
                continue
            self._changed.clear()
            wait = self._seconds_until_wanted()
            if wait == 0:
                return True
            if self._state.running:
                wait = PROGRESS_POLL_SECONDS if wait is None else min(wait, PROGRESS_POLL_SECONDS)
            await any_set(self._changed, self._shutdown.requested, seconds=wait)
            await self._ask_progress()
        return False

    def _seconds_until_wanted(self) -> float | None:
        """0 when a message is to be taken now, None when that depends on something else than time."""
        if not self._wants_tasks() or self._ready or len(self._preparing) >= MAX_PREPARING:
            return None
        now = asyncio.get_running_loop().time()
        if len(self._preparing):
            left = self._last_taken + self._timings.slow_preparation - now
            if left > 0:
                return left
        if not self._state.running:
            return 0
        return self.prefetch.wait(now - self._state.began, self._progress)

    def _wants_tasks(self) -> bool:
        return self._state.taking.is_set() and self._deliverable.is_set()

    async def _ask_progress(self) -> None:
        elapsed = asyncio.get_running_loop().time() - self._state.began
        if not self._state.running or elapsed < PROGRESS_POLL_SECONDS:
            self._progress = None
            return
        asked = asyncio.create_task(self._runtime.progress())
        if await until_done_or(asked, self._state.idle, seconds=PROGRESS_POLL_SECONDS):
            self._progress = asked.result()
        else:
            await cancel_all([asked])

    async def _pause_after(self, error: AgentError, failures: int) -> None:
        pauses = self._timings.receive_pauses
        pause = pauses[min(failures, len(pauses) - 1)]
        log.warning(
            "could not receive; retrying", extra={"action": "receive", "cause": error.message, "pause_s": pause}
        )
        await self._shutdown.pause(pause)
