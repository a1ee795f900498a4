"""No task waits behind a busy runtime while another one is idle."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from test.faults.ending import ended
from test.faults.runtime import Run, Runtime
from test.faults.scenario import Ground, Report, Scenario, agents_at

MAX_WAIT_SECONDS = 2.0


async def long_tasks(
    ground: Ground, *, tasks: int = 14, agents: int = 4, task_seconds: float = 20.0, every: float = 9.0
) -> Report:
    """Tasks come one by one, fewer than the runtimes could take; the runtimes report progress."""
    loop, sent = asyncio.get_running_loop(), dict[str, float]()
    runtimes = [Runtime(task_seconds) for _ in range(agents)]
    async with agents_at(ground, runtimes) as (world, fleet):
        for number in range(tasks):
            sent[f"t{number}"] = loop.time()
            await world.ask(f"t{number}", content={"prompt": f"t{number}"})
            await asyncio.sleep(every)
        ending = await ended(world, tasks, 6 * task_seconds)
        waited = {task: _wait_with_an_idle_runtime(task, at, runtimes) for task, at in sent.items()}
        report = Report()
        report.at_most("longest wait with an idle runtime, in seconds", max(waited.values()), MAX_WAIT_SECONDS)
        report.equal("tasks completed", ending.completed, tasks)
        report.equal("runs", fleet.runs, tasks)
        return report


def _wait_with_an_idle_runtime(task: str, sent: float, runtimes: Sequence[Runtime]) -> float:
    """Seconds between the task's message and its run during which some runtime had nothing to do."""
    began = next((run.began for runtime in runtimes for run in runtime.log if run.task == task), None)
    if began is None:
        return float("inf")
    moments = sorted({sent, began, *(edge for runtime in runtimes for edge in _edges(runtime, sent, began))})
    return sum(
        later - earlier
        for earlier, later in pairwise(moments)
        if any(_idle(runtime.log, (earlier + later) / 2) for runtime in runtimes)
    )


def _edges(runtime: Runtime, begin: float, end: float) -> list[float]:
    edges = [edge for run in runtime.log for edge in (run.began, run.ended) if edge is not None]
    return [edge for edge in edges if begin < edge < end]


def _idle(log: Sequence[Run], moment: float) -> bool:
    return not any(run.began <= moment < (run.ended or float("inf")) for run in log)


SCENARIOS = (Scenario("4 agents, tasks of 20 s, one every 9 s", long_tasks, limit=400.0),)
