"""One run on the runtime, within the limits that the task, its lease and the shutdown set."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from queue_agent.aws.lease import Lease
from queue_agent.concurrency import cancel_all, until_done_or
from queue_agent.errors import (
    Interrupted,
    LeaseLost,
    RuntimeBusy,
    RuntimeHung,
    RuntimeUnavailable,
    TaskTimeout,
)
from queue_agent.processing.halt import Halt
from queue_agent.runtimes.base import Result, RunMonitor, Runtime
from queue_agent.settings import Timings

log = logging.getLogger(__name__)

LEAST_IDLE_LIMIT = 5.0
"""Seconds that every runtime gets to stop, however short its tasks are."""


class Runner:
    """Runs one job at a time, and interrupts it when its time is over."""

    def __init__(self, runtime: Runtime, task_timeout: float, timings: Timings) -> None:
        self._runtime = runtime
        self._task_timeout = task_timeout
        self._timings = timings
        self._idle_limit = min(timings.idle_limit, max(task_timeout, LEAST_IDLE_LIMIT))

    async def run(
        self,
        work: Callable[[RunMonitor], Coroutine[Any, Any, Result]],
        monitor: RunMonitor,
        lease: Lease,
        abort: asyncio.Event,
        halt: Halt,
    ) -> Result:
        """The result of ``work``. Its time counts from when the runtime begins with it.

        Raises what the adapter raises; RuntimeBusy when the runtime worked for another client for too long;
        TaskTimeout; RuntimeHung when the runtime cannot be stopped after that, or after ``halt``; Interrupted after
        ``abort``; LeaseLost; what ``halt`` says.
        """
        run = asyncio.create_task(work(monitor), name="run")
        stops = (abort, lease.lost, halt.asked)
        try:
            await until_done_or(run, monitor.begun, *stops, seconds=self._timings.busy_limit)
            begun = monitor.begun.is_set()
            if begun:
                await until_done_or(run, *stops, seconds=self._task_timeout)
            if run.done():
                return run.result()
            stopped = await self._stop(run, abort)
            if run.done() and not run.cancelled() and run.exception() is None:
                return run.result()
            raise self._reason(lease, abort, halt, begun=begun, stopped=stopped)
        finally:
            await cancel_all([run])

    def _reason(self, lease: Lease, abort: asyncio.Event, halt: Halt, *, begun: bool, stopped: bool) -> Exception:
        if abort.is_set():
            return Interrupted("shutdown", "this agent is shutting down")
        if lease.lost.is_set():
            return LeaseLost()
        if halt.error is not None:
            return halt.error if stopped else RuntimeHung(self._idle_limit)
        if not begun:
            waited = f"{self._timings.busy_limit:g} s"
            return RuntimeBusy("runtime-busy", f"the runtime worked for another client for more than {waited}")
        if not stopped:
            return RuntimeHung(self._idle_limit)
        return TaskTimeout(self._task_timeout)

    async def _stop(self, run: "asyncio.Task[Result]", abort: asyncio.Event) -> bool:
        """Interrupt until the runtime is seen idle, or gone: the next task would wait for what still runs."""
        deadline = asyncio.get_running_loop().time() + self._idle_limit
        while not await self._interrupt(abort):
            gone = run.done() and not run.cancelled() and isinstance(run.exception(), RuntimeUnavailable)
            if gone or abort.is_set():
                return True
            if asyncio.get_running_loop().time() > deadline:
                log.error("the runtime does not stop", extra={"action": "interrupt"})
                return False
            await asyncio.sleep(self._timings.interrupt_pause)
        return True

    async def _interrupt(self, abort: asyncio.Event) -> bool:
        """Whether the runtime was seen idle; after ``abort`` it is waited for only shortly."""
        interrupting = asyncio.create_task(self._runtime.interrupt())
        if not await until_done_or(interrupting, abort):
            await asyncio.wait({interrupting}, timeout=self._timings.closing)
        if interrupting.done():
            return interrupting.result()
        await cancel_all([interrupting])
        return False
