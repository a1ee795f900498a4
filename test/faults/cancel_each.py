"""A run that is canceled by the task API, in each type of runtime (simulated), behind an agent as pods have it."""

import asyncio
import json
from functools import partial

from contract.runtimes import RuntimeType
from contract.task_table.item import State
from queue_agent.runtimes.base import Job
from test.bench.stage import a_world, agent_environment, end, start_agent
from test.conformance.runtimes.conftest import Simulator, kit_of
from test.faults.scenario import Ground, Report
from test.support.tables import cancel, has_status, submit
from test.support.world import World, until
from utils.local.aws_proxy import Conditions

CANCEL_SECONDS = 3.0
"""A beat, and the interrupt."""
RUN_SECONDS = 1.0
"""How long the run goes on before it is canceled: its job is in the runtime, and its samplers are at work."""
PATIENCE = 60.0
POLICY = {"maxSteps": 10_000, "maxRuns": 1_000}
"""Runs of a minute take more steps and runs of a graph on a simulated runtime than on a GPU."""


async def cancel_in(ground: Ground, *, kind: RuntimeType, rounds: int = 3) -> Report:
    """Cancel a long run, ``rounds`` times, each with a short task behind it."""
    report, kit, simulator, slowest = Report(), kit_of(kind), Simulator(kind), 0.0
    ground.logs.mkdir(parents=True, exist_ok=True)
    try:
        await simulator.start()
        async with a_world(ground.endpoint, Conditions(), tables=True) as (world, proxied):
            particular = {"RUNTIME_TYPE": kind.value, "TASK_POLICY": json.dumps(POLICY)}
            settings = agent_environment(world, proxied, str(simulator.url).rstrip("/"), **particular)
            agent = await start_agent(settings, log=ground.logs / f"cancel-{kind.value}.jsonl")
            try:
                for number in range(rounds):
                    slowest = max(slowest, await _cancel_one(world, number, kit.SLOW, kit.SUCCESS))
                callbacks = {callback["id"]: callback for callback in await world.callbacks()}
            finally:
                code = await end(agent)
    finally:
        await simulator.kill()
    nexts = [callbacks.get(f"next{number}", {}) for number in range(rounds)]
    report.at_most("slowest cancellation until the task has ended, in seconds", slowest, CANCEL_SECONDS)
    report.equal("next tasks with one image", sum(len(one.get("image_url") or ()) == 1 for one in nexts), rounds)
    report.equal("the agent's exit code", code, 0)
    return report


async def _cancel_one(world: World, number: int, long: Job, short: Job) -> float:
    """Seconds from the cancellation to the end of the task."""
    loop, slow, after = asyncio.get_running_loop(), f"slow{number}", f"next{number}"
    for task_id, job in ((slow, long), (after, short)):
        await submit(world, task_id, tasktype=job.tasktype, content=dict(job.content))
    await until(partial(has_status, world, State.RUNNING, slow), PATIENCE)
    await asyncio.sleep(RUN_SECONDS)
    began = loop.time()
    assert await cancel(world, slow)
    await until(partial(has_status, world, State.CANCELED, slow), PATIENCE)
    seconds = loop.time() - began
    await until(partial(has_status, world, State.COMPLETED, after), PATIENCE)
    return seconds
