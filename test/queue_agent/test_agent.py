"""The agent's loop: overlap, readiness, watchers. Every test here ends with nothing held and nothing lost."""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from contract.object_keys import CODE_LENGTH
from queue_agent.aws.lease import Lease
from queue_agent.errors import PermanentError
from queue_agent.outcome.delivery import Delivery
from queue_agent.runtimes.base import Job, Output, Ran, Result
from test.support.agents import assembled, at_work, callbacks_of, held
from test.support.world import (
    PNG,
    ScriptedRuntime,
    World,
    a_result,
    never_finish,
    until,
)
from utils.local.aws_proxy import Conditions

pytestmark = pytest.mark.usefixtures("short_polls")


async def test_a_task_is_run_stored_told_and_deleted(world: World) -> None:
    # Given a task in the queue
    message_id = await world.ask("dog", context={"order": 7})
    async with assembled(world, ScriptedRuntime()) as parts, at_work(parts):
        # When the agent works
        (callback,) = await until(world.callbacks)
    # Then the caller is told as the contract says, the images lie where it says, and the message is gone
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
    assert len(stem.rpartition("-")[2]) == CODE_LENGTH
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
        await until(lambda: held(world, 2))
        assert len(runtime.jobs) == 1
        release.set()
        await until(lambda: callbacks_of(world, 2))


async def test_a_busy_agent_leaves_the_next_task_to_others_until_it_is_needed(world: World) -> None:
    # Given a runtime that has hardly begun
    runtime = ScriptedRuntime(never_finish)
    runtime.told_progress = 0.001
    await world.ask("one")
    await world.ask("two")
    async with assembled(world, runtime, shutdown_grace=0) as parts, at_work(parts):
        await until(lambda: len(runtime.jobs) == 1)
        # When it goes on and on
        await asyncio.sleep(2.5)
        # Then the second task is still there for an idle pod
        assert await world.depth() == (1, 1)


async def test_images_are_stored_while_the_next_task_runs(world: World, conditions: Conditions) -> None:
    # Given S3 is slow to answer
    seen: list[int] = []
    runtime = ScriptedRuntime()

    async def slow_image() -> AsyncIterator[bytes]:
        await until(lambda: len(runtime.jobs) == 2)
        seen.append(len(runtime.jobs))
        yield PNG

    async def work(job: Job) -> Result:
        if job.id == "one":
            return Result([Output(slow_image)], lambda _: {}, Ran("scripted"))
        return a_result()

    runtime.work = work
    await world.ask("one")
    await world.ask("two")
    async with assembled(world, runtime) as parts, at_work(parts):
        # When both tasks have ended
        await until(lambda: callbacks_of(world, 2))
    # Then the first one's image was read while the second ran
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


async def test_no_tasks_data_is_reachable_after_it_ended(world: World) -> None:
    # Given an agent that has done three tasks, one of which failed
    async def work(job: Job) -> Result:
        if job.id == "two":
            raise PermanentError("sampler", "unknown")
        return a_result()

    runtime = ScriptedRuntime(work)
    async with assembled(world, runtime) as parts, at_work(parts):
        for name in ("one", "two", "three"):
            await world.ask(name)
        await until(lambda: callbacks_of(world, 3))
        await until(lambda: held(world, 0))
        # When it waits for more
        runtime.jobs.clear()
        await asyncio.sleep(0.1)
        gc.collect()
        # Then nothing of them is left
        left = [type(thing).__name__ for thing in gc.get_objects() if type(thing) in {Job, Delivery, Lease, Result}]
        assert left == []


async def test_an_agent_that_waited_in_vain_asks_again(world: World, conditions: Conditions) -> None:
    # Given polls that ended without a message
    async with assembled(world, ScriptedRuntime()) as parts, at_work(parts):
        await until(lambda: conditions.calls["sqs", "ReceiveMessage"] >= 2)
        # When a task comes, then it is run
        await world.ask()
        assert await until(world.callbacks)


async def test_a_message_that_is_no_task_does_not_keep_the_next_one_waiting(world: World) -> None:
    await world.send("not json")
    await world.ask("dog")
    async with assembled(world, ScriptedRuntime()) as parts, at_work(parts):
        (callback,) = await until(world.callbacks)
    assert callback["id"] == "dog"


async def test_a_watcher_that_raises_anything_ends_the_agent_with_its_cause(world: World) -> None:
    # Given an adapter that breaks its contract while the agent is at a task
    class Broken(ScriptedRuntime):
        async def progress(self) -> float | None:
            raise AttributeError("'NoneType' object has no attribute 'get'")

    runtime = Broken(never_finish)
    await world.ask()
    async with assembled(world, runtime) as parts:
        # Then the process ends with the cause instead of going on half alive
        with pytest.raises(AttributeError, match="has no attribute 'get'"):
            await asyncio.wait_for(parts.agent.run(), 30)
    # And the task is there for others
    await until(lambda: held(world, 0))
