"""A runtime's adapter, called as the agent calls it."""

from queue_agent.errors import RuntimeFault
from queue_agent.runtimes.base import Job, Result, RunMonitor, Runtime


class NotingMonitor(RunMonitor):
    """Knows whether the job was ever seen to wait."""

    def __init__(self) -> None:
        super().__init__()
        self._waits = 0

    def wait(self) -> None:
        super().wait()
        self._waits += 1

    async def waited(self) -> bool:
        return self._waits > 0


async def run_job(runtime: Runtime, job: Job) -> Result:
    """Prepare and run the job."""
    return await runtime.run(await runtime.prepare(job), RunMonitor())


async def is_ready(runtime: Runtime) -> bool:
    """Whether it would take a job now."""
    try:
        await runtime.check_ready()
    except RuntimeFault:
        return False
    return True
