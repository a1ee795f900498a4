"""The table of tasks under cancellations, retries, killed agents and outages."""

import asyncio
import random
from functools import partial

from contract.runtimes import RuntimeType
from contract.task_table.item import State, TaskItem
from test.faults.cancel_each import CANCEL_SECONDS, cancel_in
from test.faults.ending import Ending, ended
from test.faults.fleet import Fleet
from test.faults.interleavings import interleave
from test.faults.runtime import Runtime
from test.faults.scenario import Ground, Report, Scenario, agents_at
from test.support.tables import cancel, has_status, item_of, submit
from test.support.world import World, until
from utils.local.aws_proxy import Conditions, down

LIMIT_SECONDS = 120.0
QUIET_SECONDS = 6.0
"""After the last ending: a message that comes too often would do so within a lease."""
LEASE_SECONDS = 5


async def table_down(
    ground: Ground, *, seconds: float = 10.0, tasks: int = 60, agents: int = 2, task_seconds: float = 0.5
) -> Report:
    """The table does not answer for a while: every task runs once, and the table has all outcomes in the end."""
    conditions, report = Conditions(), Report()
    runtimes = [Runtime(task_seconds) for _ in range(agents)]
    async with agents_at(ground, runtimes, conditions, tables=True) as (world, fleet):
        for number in range(tasks):
            await submit(world, f"t{number}")
        await until(lambda: fleet.runs >= agents)
        conditions.failure = down("dynamodb")
        await asyncio.sleep(seconds)
        meanwhile = fleet.runs
        conditions.failure = None
        ending = await ended(world, tasks, LIMIT_SECONDS, quiet=QUIET_SECONDS)
        report.at_least("runs while the table was down", meanwhile, agents * seconds * 0.5)
        report.equal("runs", fleet.runs, tasks)
        await _judge(report, world, ending, {State.COMPLETED})
    return report


async def cancel_at_random(
    ground: Ground, *, tasks: int = 80, agents: int = 2, task_seconds: float = 0.5, kill_every: float | None = None
) -> Report:
    """A third of the tasks is canceled while it waits or runs, also while agents are killed."""
    report, rolls = Report(), random.Random(0)
    runtimes = [Runtime(task_seconds) for _ in range(agents)]
    settings = {"LEASE_SECONDS": str(LEASE_SECONDS)}
    async with agents_at(ground, runtimes, settings=settings, tables=True) as (world, fleet):
        killing = asyncio.create_task(_kill(fleet, kill_every)) if kill_every else None
        try:
            for number in range(tasks):
                await submit(world, f"t{number}")
            canceled = 0
            for number in range(tasks):
                await asyncio.sleep(task_seconds / agents * rolls.random())
                canceled += rolls.random() < 1 / 3 and await cancel(world, f"t{number}")
            ending = await ended(world, tasks, LIMIT_SECONDS, quiet=QUIET_SECONDS)
        finally:
            if killing is not None:
                killing.cancel()
                await asyncio.wait([killing])
        report.at_least("cancellations that were taken", canceled, 5)
        report.at_most("runs beyond one a task and the kills", fleet.runs - tasks - fleet.kills, 0)
        await _judge(report, world, ending, {State.COMPLETED, State.CANCELED}, repeats=fleet.kills)
    return report


async def _kill(fleet: Fleet, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        await fleet.kill_agent()


async def cancel_a_run(ground: Ground, *, rounds: int = 5) -> Report:
    """A run is canceled again and again, each with another task behind it."""
    loop, report, slowest = asyncio.get_running_loop(), Report(), 0.0
    runtime = Runtime(60.0)
    async with agents_at(ground, [runtime], tables=True) as (world, _):
        for number in range(rounds):
            await submit(world, f"t{number}")
        for number in range(rounds):
            await until(lambda: runtime.runs > number)  # noqa: B023 - awaited here
            await asyncio.sleep(1.0)
            began = loop.time()
            assert await cancel(world, f"t{number}")
            run = runtime.log[number]
            await until(lambda: run.ended)  # noqa: B023
            slowest = max(slowest, loop.time() - began)
            await until(partial(has_status, world, State.CANCELED, f"t{number}"))
        report.at_most("slowest cancellation until the runtime is idle, in seconds", slowest, CANCEL_SECONDS)
        report.equal("runs", runtime.runs, rounds)
        await _judge(report, world, await ended(world, rounds, LIMIT_SECONDS), {State.CANCELED})
    return report


async def _judge(report: Report, world: World, ending: Ending, allowed: set[State], *, repeats: int = 0) -> None:
    """What holds of every task, whatever happened. ``repeats``: callbacks that may come twice."""
    items = {task_id: await item_of(world, task_id) for task_id in ending.callbacks}
    report.equal("tasks lost", ending.lost, 0)
    report.equal("messages left", sum(ending.left), 0)
    report.at_most("callbacks that came twice", ending.repeated, repeats)
    report.equal("callbacks that differ", ending.differing, 0)
    report.equal("tasks that have not ended so in the table", sum(not _is(item, allowed) for item in items.values()), 0)
    differing = [
        task_id
        for task_id, item in items.items()
        if item is None or item.status.value != ending.callbacks[task_id][0]["status"]
    ]
    report.equal("tasks whose callback says otherwise than the table", len(differing), 0)


def _is(item: TaskItem | None, allowed: set[State]) -> bool:
    return item is not None and item.status in allowed


SCENARIOS = (
    Scenario("2 agents, 5,000 tasks, cancellations, duplicates and retries at random", interleave, limit=3600.0),
    Scenario(
        "2 agents, 1,000 tasks, the same, and 20 % of the table's calls fail",
        partial(interleave, tasks=1000, failing_share=0.2, seed=1),
        limit=900.0,
    ),
    Scenario("table down for 10 s", table_down),
    Scenario("a third canceled at random", cancel_at_random),
    Scenario("a third canceled at random, an agent killed every 3 s", partial(cancel_at_random, kill_every=3.0)),
    Scenario("a run canceled in its midst", cancel_a_run),
    *(Scenario(f"a run canceled in {kind.value}", partial(cancel_in, kind=kind)) for kind in RuntimeType),
)
