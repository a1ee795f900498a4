"""One runtime of several is broken while its probes answer: its tasks must complete at the others."""

from functools import partial

from test.faults.ending import Ending, ended
from test.faults.runtime import Behaviour, Runtime
from test.faults.scenario import Ground, Report, Scenario, agents_at, ask

SICK = 0
TASK_SECONDS = 0.5
LIMIT_SECONDS = 150.0
HANG_TIMEOUT_SECONDS = 5
MAX_RUNS_AT_THE_FAILING = 15
MAX_RUNS_AT_THE_HUNG = 3


async def one_fails(ground: Ground, behaviour: Behaviour, *, tasks: int = 60, agents: int = 4) -> Report:
    """One runtime fails at every generation at once."""
    runtimes = [Runtime(TASK_SECONDS, behaviour if number == SICK else Behaviour.HEALTHY) for number in range(agents)]
    return _report(await _played(ground, runtimes, tasks, {}), runtimes[SICK], MAX_RUNS_AT_THE_FAILING)


async def one_hangs(ground: Ground, *, tasks: int = 20, agents: int = 2) -> Report:
    """One runtime never ends a generation, and ignores interrupts."""
    runtimes = [
        Runtime(TASK_SECONDS, Behaviour.HUNG if number == SICK else Behaviour.HEALTHY) for number in range(agents)
    ]
    settings = {"TASK_TIMEOUT": str(HANG_TIMEOUT_SECONDS)}
    return _report(await _played(ground, runtimes, tasks, settings), runtimes[SICK], MAX_RUNS_AT_THE_HUNG)


async def _played(ground: Ground, runtimes: list[Runtime], tasks: int, settings: dict[str, str]) -> Ending:
    async with agents_at(ground, runtimes, settings=settings) as (world, _):
        await ask(world, tasks)
        return await ended(world, tasks, LIMIT_SECONDS)


def _report(ending: Ending, sick: Runtime, most: int) -> Report:
    report = Report()
    report.equal("tasks completed", ending.completed, ending.tasks)
    report.equal("tasks failed", ending.failed, 0)
    report.equal("dead letters", ending.dead_letters, 0)
    report.at_least("runs at the sick runtime", sick.requests, 1)
    report.at_most("runs at the sick runtime", sick.requests, most)
    return report


SCENARIOS = (
    *(
        Scenario(f"1 of 4 runtimes: {behaviour.value}", partial(one_fails, behaviour=behaviour))
        for behaviour in (
            Behaviour.CUDA_ERROR,
            Behaviour.PLAIN_ERROR,
            Behaviour.BROKEN_JSON,
            Behaviour.UNDECODABLE,
        )
    ),
    Scenario("1 of 2 runtimes hangs, TASK_TIMEOUT=5", one_hangs),
)
