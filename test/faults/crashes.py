"""Agents that are stopped or killed at the worst moment."""

import asyncio

from test.faults.denied_calls import PUT_OBJECT
from test.faults.ending import ended
from test.faults.fleet import Fleet
from test.faults.runtime import Runtime
from test.faults.scenario import Ground, Report, Scenario, agents_at, ask
from test.support.world import PATIENCE, until
from utils.local.aws_proxy import Conditions

LIMIT_SECONDS = 90.0
GRACE_SECONDS = 5
MAX_EXIT_SECONDS = 12.0
KILL_EVERY_SECONDS = 4.0


async def stop_with_a_result_that_cannot_be_stored(ground: Ground) -> Report:
    """SIGTERM while S3 denies what the agent holds."""
    loop, conditions, report = asyncio.get_running_loop(), Conditions(failure=PUT_OBJECT.fail), Report()
    settings = {"SHUTDOWN_GRACE": str(GRACE_SECONDS)}
    async with agents_at(ground, [Runtime(0.5)], conditions, settings=settings) as (world, fleet):
        await ask(world, 1)
        await until(lambda: fleet.logged(0, "delivery_suspended"), PATIENCE)
        began = loop.time()
        await fleet.stop()
        report.at_most("seconds until the exit", loop.time() - began, MAX_EXIT_SECONDS)
        report.equal("exit codes", sorted(fleet.exits), [0])
        report.equal("messages back in the queue", await world.depth(), (1, 0))
    return report


async def kill_in_mid_run(ground: Ground, *, tasks: int = 3, task_seconds: float = 2.0) -> Report:
    """SIGKILL to an agent in the middle of its first run, and its restart in the same pod."""
    loop, report, runtime = asyncio.get_running_loop(), Report(), Runtime(task_seconds)
    async with agents_at(ground, [runtime]) as (world, fleet):
        await ask(world, tasks)
        await until(lambda: runtime.runs, PATIENCE)
        began = loop.time()
        await asyncio.sleep(task_seconds / 2)
        await fleet.kill_agent()
        ending = await ended(world, tasks, LIMIT_SECONDS)
        report.at_most("seconds until all have ended", loop.time() - began, 15.0)
        report.equal("tasks completed", ending.completed, tasks)
        report.at_most("runs", fleet.runs, tasks + 1)
    return report


async def kill_in_turn(ground: Ground, *, tasks: int = 20, agents: int = 2, task_seconds: float = 0.5) -> Report:
    """A SIGKILL every few seconds, to each agent in turn; each is restarted at once."""
    loop, report = asyncio.get_running_loop(), Report()
    runtimes = [Runtime(task_seconds) for _ in range(agents)]
    async with agents_at(ground, runtimes) as (world, fleet):
        await ask(world, tasks)
        await until(lambda: fleet.runs, PATIENCE)
        began = loop.time()
        killing = asyncio.create_task(_kill_in_turn(fleet, agents))
        try:
            ending = await ended(world, tasks, LIMIT_SECONDS)
        finally:
            killing.cancel()
            await asyncio.wait([killing])
        last = max(run.ended or loop.time() for runtime in runtimes for run in runtime.log)
        busy = sum(runtime.busy_seconds for runtime in runtimes) / (agents * (last - began))
        report.at_least("share of time that the GPUs were busy", busy, 0.5)
        report.equal("tasks completed", ending.completed, tasks)
        report.at_most("extra runs beyond the kills", fleet.runs - tasks - fleet.kills, 0)
        report.at_least("kills", fleet.kills, 1)
    return report


async def _kill_in_turn(fleet: Fleet, agents: int) -> None:
    number = 0
    while True:
        await asyncio.sleep(KILL_EVERY_SECONDS)
        await fleet.kill_agent(number % agents)
        number += 1


SCENARIOS = (
    Scenario("SIGTERM with S3 denied, SHUTDOWN_GRACE=5", stop_with_a_result_that_cannot_be_stored),
    Scenario("SIGKILL in mid-run, restart in the same pod", kill_in_mid_run),
    Scenario("SIGKILL every 4 s over 2 agents", kill_in_turn),
)
