"""What this pod says of itself in the task table, from which the front door estimates when a waiting task starts."""

import asyncio
import logging
import time

from contract.metrics import TABLE_FAILURES
from contract.task_table.pods import REPORT_SECONDS, PodItem
from queue_agent.aws.task_table import TaskTable
from queue_agent.errors import AwsError
from queue_agent.intake.intake import Intake
from queue_agent.lifecycle.runtime_state import RuntimeState
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.telemetry.metrics import Metrics

log = logging.getLogger(__name__)


class PodReports:
    """Nothing depends on a single report: one that fails is not repeated, and logged when it is the first in a row."""

    def __init__(
        self,
        table: TaskTable,
        *,
        metrics: Metrics,
        runtime: str,
        pod: str,
        state: RuntimeState,
        intake: Intake,
        shutdown: Shutdown,
    ) -> None:
        self._table = table
        self._metrics = metrics
        self._runtime = runtime
        self._pod = pod
        self._state = state
        self._intake = intake
        self._shutdown = shutdown
        self._failing = False

    async def keep(self) -> None:
        """Report every REPORT_SECONDS, until cancelled."""
        while True:
            try:
                await self._table.report(self.now())
            except AwsError as error:
                self._metrics.add(TABLE_FAILURES, "report")
                if not self._failing:
                    log.warning("the pod is not reported", extra={"action": "report", "cause": error.message})
                self._failing = True
            else:
                self._failing = False
            await asyncio.sleep(REPORT_SECONDS)

    def now(self) -> PodItem:
        """The report of this moment."""
        state, at = self._state, time.time()
        running_for = asyncio.get_running_loop().time() - state.began
        return PodItem(
            runtime=self._runtime,
            pod=self._pod,
            at=at,
            ready=state.taking.is_set() and not self._shutdown.requested.is_set(),
            mean_seconds=self._intake.prefetch.run.mean,
            busy_since=at - running_for if state.running else None,
            newest=self._intake.newest,
        )
