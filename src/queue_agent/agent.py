"""The agent's loop: while the runtime works on one task, the next is prepared and the last is stored."""

import asyncio
import logging
from typing import TYPE_CHECKING

from queue_agent.concurrency import Background, supervise
from queue_agent.errors import AgentError, RuntimeFault
from queue_agent.intake.intake import Intake
from queue_agent.intake.pod_reports import PodReports
from queue_agent.lifecycle.readiness import Readiness
from queue_agent.lifecycle.runtime_state import RuntimeState
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.processing.processor import Processor
from queue_agent.processing.stages import Completed, Failed, Prepared
from queue_agent.settings import Timings
from queue_agent.telemetry.metrics import GpuClock

if TYPE_CHECKING:
    from queue_agent.lifecycle.pod_deletion_cost import DeletionCost

log = logging.getLogger(__name__)

MAX_FINISHING = 32
"""Results on their way to S3, SNS and SQS while the runtime goes on: enough for tasks of half a second when SNS takes
4 s for each of two callbacks."""

FINISHING_BYTES = 48 * 1024 * 1024
"""What they may hold in memory together, if all are as large as the last one. Two are always allowed."""


class Agent:
    """Feeds one runtime from one queue until the shutdown."""

    def __init__(
        self,
        *,
        intake: Intake,
        processor: Processor,
        readiness: Readiness,
        state: RuntimeState,
        deliverable: asyncio.Event,
        shutdown: Shutdown,
        grace: float,
        gpu: GpuClock,
        timings: Timings,
        cost: "DeletionCost | None" = None,
        reports: PodReports | None = None,
    ) -> None:
        self._intake = intake
        self._processor = processor
        self._readiness = readiness
        self._state = state
        self._deliverable = deliverable
        self._shutdown = shutdown
        self._grace = grace
        self._gpu = gpu
        self._timings = timings
        self._cost = cost
        self._reports = reports
        self._finishing = Background()
        self._away: AgentError | None = None

    async def run(self) -> None:
        """Work until the shutdown, then finish or release what is held.

        Everything that must live meanwhile is supervised: what any of it raises is raised here.
        Raises RuntimeUnavailable when the runtime stays away for too long.
        """
        watchers = [kept.keep() for kept in (self._cost, self._reports) if kept is not None]
        await supervise(
            self._work(),
            self._watch_runtime(),
            self._enforce_grace(),
            self._intake.run(),
            self._intake.watch(),
            self._finishing.watch(),
            self._processor.refusals.watch(),
            *watchers,
        )
        if self._away is not None:
            raise self._away
        log.info("stopped", extra={"action": "stopped"})

    async def _work(self) -> None:
        try:
            while await self._process_next():
                pass
        except BaseException:
            self._shutdown.abort.set()
            raise
        finally:
            self._shutdown.requested.set()
            await self._intake.close()
            await self._finishing.drain(self._shutdown.abort, self._timings.closing)
            await self._processor.refusals.cancel()

    async def _process_next(self) -> bool:
        """Run the next task and leave the rest to the background; False when it is time to stop. Nothing of the task is
        kept after that."""
        prepared = await self._intake.next()
        if prepared is not None:
            await self._process(prepared)
        return prepared is not None

    async def _process(self, prepared: Prepared) -> None:
        adopted = prepared.job_ref is not None
        if not (self._deliverable.is_set() and self._state.begin(already_running=adopted)):
            self._finishing.spawn(self._processor.release(prepared))
            return
        self._gpu.begin()
        if self._cost:
            self._cost.busy()
        try:
            outcome = await self._processor.run(prepared, self._shutdown)
        finally:
            self._gpu.end()
            self._state.end()
            if self._cost:
                self._cost.idle()
        match outcome:
            case Completed():
                self._intake.prefetch.run.add(outcome.seconds)
                self._finishing.spawn(self._finish(outcome))
            case Failed():
                await self._note_failure(outcome)
        held = outcome.result.held_bytes if isinstance(outcome, Completed) else 0
        await self._finishing.below(max(2, min(MAX_FINISHING, FINISHING_BYTES // max(1, held))))

    async def _finish(self, completed: Completed) -> None:
        """A run has succeeded once its outputs were read: a broken runtime may complete runs with outputs that it
        cannot give."""
        failed = await self._processor.finish(completed)
        if failed is None:
            self._readiness.succeeded()
        else:
            innocent = self._readiness.failed(failed.delivery.lease.message_id, failed.raised)
            await self._processor.settle(failed, counted=not innocent)

    async def _note_failure(self, failed: Failed) -> None:
        """Learn what the failure says of the runtime before another task goes there."""
        innocent = self._readiness.failed(failed.delivery.lease.message_id, failed.raised)
        self._finishing.spawn(self._processor.settle(failed, counted=not innocent))
        if isinstance(failed.raised, RuntimeFault) and self._state.taking.is_set():
            await self._check_runtime()

    async def _check_runtime(self) -> None:
        try:
            await self._readiness.check()
        except AgentError as error:
            self._give_up(error)

    async def _watch_runtime(self) -> None:
        try:
            await self._readiness.watch(self._shutdown)
        except AgentError as error:
            self._give_up(error)

    def _give_up(self, error: AgentError) -> None:
        """The runtime stays away: release what is held, and end."""
        if self._away is None:
            log.error("the runtime stayed away", extra={"action": "runtime_away", "cause": error.message})
            self._away = error
            self._shutdown.request()

    async def _enforce_grace(self) -> None:
        await self._shutdown.requested.wait()
        await asyncio.sleep(self._grace)
        log.warning("grace period expired; releasing running tasks", extra={"action": "grace_over"})
        self._shutdown.abort.set()
