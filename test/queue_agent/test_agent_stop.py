"""How an agent stops: what runs may end within the grace, what has not started goes back at once."""

import asyncio
from dataclasses import replace

import pytest

from queue_agent.errors import RuntimeUnavailable
from queue_agent.runtimes.base import Job, Result
from test.support.agents import QUICK, assembled, at_work, held
from test.support.world import ScriptedRuntime, World, a_result, never_finish, running, until
from utils.local.aws_proxy import Conditions, down

pytestmark = pytest.mark.usefixtures("short_polls")


async def test_sigterm_finishes_the_running_task_and_takes_no_more(world: World) -> None:
    # Given a task that runs and one that waits
    release = asyncio.Event()

    async def work(_: Job) -> Result:
        await release.wait()
        return a_result()

    runtime = ScriptedRuntime(work)
    await world.ask("one")
    async with assembled(world, runtime) as parts, running(parts.agent.run()) as agent:
        await until(lambda: len(runtime.jobs) == 1)
        await world.ask("two")
        # When it is told to stop
        parts.stop.request()
        release.set()
        await asyncio.wait_for(agent, 30)
    # Then the running task was finished, and the other one is there for the next agent
    assert [callback["id"] for callback in await world.callbacks()] == ["one"]
    assert await world.depth() == (1, 0)
    assert runtime.interrupts == 0


async def test_sigterm_hands_back_a_prefetched_task_at_once_and_it_does_not_count_as_a_run(world: World) -> None:
    # Given a prefetched task beside a running one
    runtime = ScriptedRuntime(never_finish)
    runtime.told_progress = 0.99
    await world.ask("one")
    await world.ask("two")
    async with assembled(world, runtime, shutdown_grace=60) as parts, running(parts.agent.run()) as agent:
        await until(lambda: held(world, 2))
        # When the agent is told to stop, twice
        parts.stop.request()
        await until(lambda: held(world, 1))
        parts.stop.request()
        await asyncio.wait_for(agent, 30)
    # Then both are back, the runtime was interrupted, and neither has used up an attempt
    assert await world.depth() == (2, 0)
    assert runtime.interrupts == 1
    assert await world.callbacks() == []
    noted = [await world.read(key) for key in await world.keys() if key.startswith(".platform/attempts/")]
    assert [b'"runs": 0' in note for note in noted] == [True, True]


async def test_a_message_that_arrives_after_sigterm_is_back_before_its_lease_ends(
    world: World, conditions: Conditions
) -> None:
    # Given a poll whose message is held while its answer is still on its way
    conditions.latency = {"sqs": 0.3}
    runtime = ScriptedRuntime(never_finish)
    async with assembled(world, runtime, shutdown_grace=60, lease_seconds=3600) as parts, at_work(parts):
        await until(lambda: conditions.calls["sqs", "ReceiveMessage"])
        await world.ask("late")
        await until(lambda: held(world, 1))
        # When the agent is told to stop
        parts.stop.request()
        # Then the message is there for the next agent
        await until(lambda: held(world, 0))
    assert await world.depth() == (1, 0)
    assert runtime.jobs == []


async def test_the_grace_ends_in_an_interrupt_and_a_hand_back(world: World) -> None:
    # Given a task that would run for ever
    runtime = ScriptedRuntime(never_finish)
    await world.ask()
    async with assembled(world, runtime, shutdown_grace=0.2) as parts, running(parts.agent.run()) as agent:
        await until(lambda: len(runtime.jobs) == 1)
        # When the grace is over
        parts.stop.request()
        await asyncio.wait_for(agent, 30)
    # Then the task is back in the queue and nobody was told of a failure
    assert runtime.interrupts == 1
    assert await world.depth() == (1, 0)
    assert await world.callbacks() == []


async def test_a_runtime_that_dies_during_shutdown_is_not_the_tasks_failure(world: World) -> None:
    # Given a pod whose containers stop together
    runtime = ScriptedRuntime()
    dead = asyncio.Event()

    async def die(_: Job) -> Result:
        await dead.wait()
        raise RuntimeUnavailable("runtime-died", "the runtime closed the connection")

    runtime.work = die
    await world.ask()
    async with assembled(world, runtime, max_attempts=1) as parts, running(parts.agent.run()) as agent:
        await until(lambda: len(runtime.jobs) == 1)
        # When the agent is told to stop and the runtime dies
        parts.stop.request()
        dead.set()
        await asyncio.wait_for(agent, 30)
    # Then the task goes back without a word, even if this would have been its last attempt
    assert await world.depth() == (1, 0)
    assert await world.callbacks() == []


async def test_a_stop_while_idle_ends_without_a_word_from_the_runtime(world: World) -> None:
    # Given an agent with nothing to do
    runtime = ScriptedRuntime()
    async with assembled(world, runtime) as parts, at_work(parts):
        await until(parts.state.taking.is_set)
    # Then it has asked nothing of the runtime
    assert runtime.jobs == []


async def test_a_cancelled_agent_ends_and_leaves_its_message_to_others(world: World) -> None:
    # Given an agent that waits for work
    runtime = ScriptedRuntime()
    async with assembled(world, runtime, lease_seconds=1) as parts, running(parts.agent.run()) as agent:
        await until(parts.state.taking.is_set)
        # When it is cancelled from outside
        agent.cancel()
        # Then it ends, as if it had been told to stop
        await asyncio.wait([agent], timeout=30)
        assert agent.cancelled()
    # And a message that its last poll may still receive is there when the lease has expired
    await world.ask()
    await until(lambda: held(world, 0))
    assert runtime.jobs == []


async def test_a_second_stop_hands_back_what_cannot_be_stored(world: World, conditions: Conditions) -> None:
    # Given a result that S3 does not take
    runtime = ScriptedRuntime()
    await world.ask()
    conditions.failure = down("s3")
    async with (
        assembled(world, runtime, shutdown_grace=60, timings=replace(QUICK, closing=0.2)) as parts,
        running(parts.agent.run()) as agent,
    ):
        await until(lambda: conditions.calls["s3", "PUT"] >= 1)
        # When the agent is told to stop, and again while it waits for S3
        parts.stop.request()
        await asyncio.sleep(0.5)
        assert not agent.done()
        parts.stop.request()
        await asyncio.wait_for(agent, 30)
    # Then the message is back, and nobody was told of a failure
    assert await world.depth() == (1, 0)
    assert await world.callbacks() == []
