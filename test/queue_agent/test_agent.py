"""The loop: overlap, readiness, stopping. Every test here ends with nothing held and nothing lost."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from queue_agent.delivery import Delivery
from queue_agent.errors import CallerFault, RuntimeGone
from queue_agent.queue import Lease
from queue_agent.runtimes.base import Job, Output, Ran, Result
from test.support.agent import (
    PNG,
    ScriptedRuntime,
    World,
    a_result,
    finish_at_once,
    never_finish,
    running,
    until,
)
from test.support.agents import Parts, assembled
from utils.local.aws_proxy import Conditions, down


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopping agent waits for its poll to end, and a test need not wait ten seconds for that."""
    monkeypatch.setattr("queue_agent.queue.LONG_POLL_SECONDS", 1)


@asynccontextmanager
async def at_work(parts: Parts) -> AsyncIterator[asyncio.Task[None]]:
    """The agent at work; stopped and waited for at the end."""
    async with running(parts.agent.run()) as task:
        yield task
        if not parts.stop.requested.is_set():
            parts.stop.request()
        await asyncio.wait_for(task, 30)


async def test_a_task_is_run_stored_told_and_deleted(world: World) -> None:
    # Given a task in the queue
    message_id = await world.ask("dog", context={"order": 7})
    async with assembled(world, ScriptedRuntime()) as parts, at_work(parts):
        # When the agent works
        (callback,) = await until(world.callbacks)
    # Then the caller is told as the contract says, the pictures lie where it says, and the message is gone
    stem = callback["output_url"].removesuffix(".out")
    assert callback == {
        "id": "dog",
        "result": True,
        "image_url": [f"{stem}-1.png"],
        "output_url": f"{stem}.out",
        "context": {"order": 7},
        "runtime": "r",
        "status": "completed",
        "error": None,
    }
    assert stem.startswith(f"s3://{world.bucket}/out/dog/dog-")
    assert len(stem.rpartition("-")[2]) == 4
    assert await world.read(f"{stem}-1.png".removeprefix(f"s3://{world.bucket}/")) == PNG
    assert await world.depth() == (0, 0)
    assert message_id


async def test_the_next_task_is_fetched_while_the_runtime_works(world: World) -> None:
    # Given a runtime that works until told, and says how far it is
    release = asyncio.Event()

    async def work(_: Job) -> Result:
        await release.wait()
        return a_result()

    runtime = ScriptedRuntime(work)
    runtime.told_progress = 0.99
    await world.ask("one")
    await world.ask("two")
    async with assembled(world, runtime) as parts, at_work(parts):
        # When the first task is almost done
        await until(lambda: len(runtime.jobs) == 1)
        # Then the second is held already, and still only one runs
        await until(lambda: _held(world, 2))
        assert len(runtime.jobs) == 1
        release.set()
        await until(lambda: _told(world, 2))


async def test_a_busy_agent_leaves_the_next_task_to_others_until_it_is_needed(world: World) -> None:
    # Given a runtime that has hardly begun
    runtime = ScriptedRuntime(never_finish)
    runtime.told_progress = 0.001
    await world.ask("one")
    await world.ask("two")
    async with assembled(world, runtime, grace=0) as parts, at_work(parts):
        await until(lambda: len(runtime.jobs) == 1)
        # When it goes on and on
        await asyncio.sleep(2.5)
        # Then the second task is still there for an idle pod
        assert await world.depth() == (1, 1)


async def test_pictures_are_stored_while_the_next_task_runs(world: World, conditions: Conditions) -> None:
    # Given S3 is slow to answer
    seen: list[int] = []
    runtime = ScriptedRuntime()

    async def slow_picture() -> AsyncIterator[bytes]:
        await until(lambda: len(runtime.jobs) == 2)
        seen.append(len(runtime.jobs))
        yield PNG

    async def work(job: Job) -> Result:
        if job.id == "one":
            return Result([Output(slow_picture)], lambda _: {}, Ran("scripted"))
        return a_result()

    runtime.work = work
    await world.ask("one")
    await world.ask("two")
    async with assembled(world, runtime) as parts, at_work(parts):
        # When both tasks have ended
        await until(lambda: _told(world, 2))
    # Then the first one's picture was read while the second ran
    assert seen == [2]


async def test_no_message_is_taken_before_the_runtime_is_ready(world: World) -> None:
    # Given a runtime that still loads its model
    runtime = ScriptedRuntime()
    runtime.is_ready = False
    await world.ask()
    async with assembled(world, runtime) as parts, at_work(parts):
        await asyncio.sleep(1.5)
        # Then the message stays for other pods
        assert await world.depth() == (1, 0)
        # When it is ready, then the task is run
        runtime.is_ready = True
        (callback,) = await until(world.callbacks)
        assert callback["result"] is True


async def test_a_runtime_that_dies_gets_no_further_message_until_it_is_back(world: World) -> None:
    # Given a runtime that dies over its first task
    runtime = ScriptedRuntime()

    async def die(_: Job) -> Result:
        runtime.is_ready = False
        runtime.work = finish_at_once
        raise RuntimeGone("runtime-died", "the runtime closed the connection")

    runtime.work = die
    await world.ask("one")
    await world.ask("two")
    async with assembled(world, runtime) as parts, at_work(parts):
        # When it is away
        await until(lambda: len(runtime.jobs) == 1)
        await asyncio.sleep(2)
        # Then nothing is sent to it and nobody is told of a failure
        assert len(runtime.jobs) == 1
        assert await world.callbacks() == []
        # When it is back, then both tasks are run
        runtime.is_ready = True
        told = await until(lambda: _told(world, 2))
    assert {callback["result"] for callback in told} == {True}


async def test_the_agent_fails_when_the_runtime_stays_away(world: World) -> None:
    # Given a runtime that never becomes ready
    runtime = ScriptedRuntime()
    runtime.is_ready = False
    await world.ask()
    async with assembled(world, runtime, away_limit=0.5) as parts:
        # When the limit is over, then the process says so, and the message was not touched
        with pytest.raises(RuntimeGone, match=r"not ready for 0\.5 s"):
            await asyncio.wait_for(parts.agent.run(), 30)
    assert await world.depth() == (1, 0)


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
    async with assembled(world, runtime, grace=60) as parts, running(parts.agent.run()) as agent:
        await until(lambda: _held(world, 2))
        # When the agent is told to stop, twice
        parts.stop.request()
        await until(lambda: _held(world, 1))
        parts.stop.request()
        await asyncio.wait_for(agent, 30)
    # Then both are back, the runtime was interrupted, and neither has used up an attempt
    assert await world.depth() == (2, 0)
    assert runtime.interrupts == 1
    assert await world.callbacks() == []
    noted = [await world.read(key) for key in await world.keys() if key.startswith(".platform/attempts/")]
    assert [b'"runs": 0' in note for note in noted] == [True, True]


async def test_the_grace_ends_in_an_interrupt_and_a_hand_back(world: World) -> None:
    # Given a task that would run for ever
    runtime = ScriptedRuntime(never_finish)
    await world.ask()
    async with assembled(world, runtime, grace=0.2) as parts, running(parts.agent.run()) as agent:
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
        raise RuntimeGone("runtime-died", "the runtime closed the connection")

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


async def test_sqs_down_stops_nobody(world: World, conditions: Conditions) -> None:
    # Given SQS is down when the agent starts
    conditions.failure = down("sqs")
    async with assembled(world, ScriptedRuntime()) as parts, at_work(parts):
        await until(lambda: conditions.calls["sqs", "ReceiveMessage"] >= 4)
        # When it is back, then tasks are run
        conditions.failure = None
        await world.ask()
        (callback,) = await until(world.callbacks)
        assert callback["result"] is True


async def test_a_stop_while_idle_ends_without_a_word_from_the_runtime(world: World) -> None:
    # Given an agent with nothing to do
    runtime = ScriptedRuntime()
    async with assembled(world, runtime) as parts, at_work(parts):
        await until(parts.readiness.ready.is_set)
    # Then it has asked nothing of the runtime
    assert runtime.jobs == []


async def _held(world: World, number: int) -> bool:
    _, held = await world.depth()
    return held == number


async def _told(world: World, number: int) -> list[dict[str, object]]:
    told = await world.callbacks()
    return told if len(told) >= number else []


async def test_no_tasks_data_is_reachable_after_it_ended(world: World) -> None:
    # Given an agent that has done three tasks, one of which failed
    async def work(job: Job) -> Result:
        if job.id == "two":
            raise CallerFault("sampler", "unknown")
        return a_result()

    runtime = ScriptedRuntime(work)
    async with assembled(world, runtime) as parts, at_work(parts):
        for name in ("one", "two", "three"):
            await world.ask(name)
        await until(lambda: _told(world, 3))
        await until(lambda: _held(world, 0))
        # When it waits for more
        runtime.jobs.clear()
        await asyncio.sleep(0.1)
        gc.collect()
        # Then nothing of them is left
        left = [type(thing).__name__ for thing in gc.get_objects() if type(thing) in {Job, Delivery, Lease, Result}]
        assert left == []


async def test_a_cancelled_agent_ends_and_leaves_its_message_to_others(world: World) -> None:
    # Given an agent that waits for work
    async with assembled(world, ScriptedRuntime()) as parts, running(parts.agent.run()) as agent:
        await until(parts.readiness.ready.is_set)
        # When it is cancelled from outside
        agent.cancel()
        # Then it ends, as if it had been told to stop
        await asyncio.wait([agent], timeout=30)
        assert agent.cancelled()
    await world.ask()
    assert await world.depth() == (1, 0)
