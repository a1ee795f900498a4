"""A run that is stopped: by its limit, by a shutdown, or because its runtime or its inputs are not to be had."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network

import pytest
from aiohttp import web

from contract.runtimes import TaskType
from queue_agent.errors import RuntimeBusy, RuntimeUnavailable
from queue_agent.inputs.fetcher import Limits
from queue_agent.processing.stages import Completed, Failed
from queue_agent.runtimes.base import Job, Output, PreparedJob, Ran, Result, RunMonitor
from test.bench.webui import serving
from test.support.agents import QUICK, assembled, received, worked
from test.support.world import ScriptedRuntime, World, a_result, never_finish, until
from utils.local.aws_proxy import Conditions

pytestmark = pytest.mark.usefixtures("short_waits")


async def test_a_timeout_interrupts_the_runtime_and_fails_the_task(world: World) -> None:
    # Given a task that takes longer than a task may
    await world.ask()
    runtime = ScriptedRuntime(never_finish)
    async with assembled(world, runtime, task_timeout=0.2) as parts:
        await worked(parts)
    # Then the runtime was interrupted, and the task failed at once
    (callback,) = await world.callbacks()
    assert callback["error"]["type"] == "timeout"
    assert "0.2 s" in callback["error"]["message"]
    assert (len(runtime.jobs), runtime.interrupts) == (1, 1)


async def test_after_a_timeout_the_runtime_is_interrupted_until_it_is_seen_idle(world: World) -> None:
    # Given a runtime that takes its time to stop
    class Slow(ScriptedRuntime):
        async def interrupt(self) -> bool:
            await super().interrupt()
            return self.interrupts == 3

    await world.ask()
    runtime = Slow(never_finish)
    async with assembled(world, runtime, task_timeout=0.1) as parts:
        # When the task has failed
        await worked(parts)
    # Then the runtime is idle
    assert runtime.interrupts == 3


async def test_a_runtime_that_is_gone_is_not_asked_to_stop_for_ever(world: World) -> None:
    # Given a runtime that dies as it is interrupted
    class Dying(ScriptedRuntime):
        async def interrupt(self) -> bool:
            self.interrupts += 1
            dead.set()
            return False

    dead = asyncio.Event()

    async def die(_: Job) -> Result:
        await dead.wait()
        raise RuntimeUnavailable("runtime-died", "the runtime closed the connection")

    await world.ask()
    runtime = Dying(die)
    async with assembled(world, runtime, task_timeout=0.1) as parts:
        # When the task's time is up
        await worked(parts)
    # Then one or two words are enough, and the task has failed for its time
    assert runtime.interrupts <= 2
    (callback,) = await world.callbacks()
    assert callback["error"]["type"] == "timeout"


async def test_a_task_cancelled_on_its_way_is_handed_back(world: World) -> None:
    # Given a task that is being prepared, and one that is being stored
    await world.ask()
    async with assembled(world, ScriptedRuntime()) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        completed = await parts.processor.run(prepared, parts.stop)
        assert isinstance(completed, Completed)
        result = Result([Output(_endless)], lambda _: {}, Ran("scripted"))
        storing = asyncio.create_task(parts.processor.finish(replace(completed, result=result)))
        await asyncio.sleep(0.1)
        # When it is cancelled
        storing.cancel()
        await asyncio.wait([storing])
    # Then the message is there for the next agent
    assert storing.cancelled()
    assert await world.depth() == (1, 0)


async def _endless() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def test_a_task_cancelled_while_it_is_fetched_is_handed_back(world: World, conditions: Conditions) -> None:
    # Given an input that does not come
    conditions.latency = {"s3": 30}
    await world.ask(content={"init_images": [f"s3://{world.bucket}/inputs/a.png"]})
    async with assembled(world, ScriptedRuntime()) as parts:
        preparing = asyncio.create_task(parts.processor.prepare(await received(parts)))
        await until(lambda: conditions.calls["s3", "GET"] == 1)
        # When the agent is cut off
        preparing.cancel()
        await asyncio.wait([preparing])
        assert preparing.cancelled()
    # Then the task is there for others
    assert await world.depth() == (1, 0)


async def test_a_task_that_a_runtime_does_not_stop_is_run_once_more_elsewhere(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # Given runtimes that go on whatever they are told
    async def deaf() -> bool:
        return False

    first, second = ScriptedRuntime(never_finish), ScriptedRuntime(never_finish)
    for runtime in (first, second):
        runtime.interrupt = deaf  # type: ignore[method-assign]
    await world.ask()
    # When the task takes too long on one of them
    async with assembled(world, first, task_timeout=0.2) as parts:
        await worked(parts)
    # Then the runtime is to blame, and the task is there for another
    assert await world.callbacks() == []
    assert "the runtime does not stop" in caplog.text
    # When it does so there, too
    async with assembled(world, second, task_timeout=0.2) as parts:
        await worked(parts)
    # Then the task is
    (callback,) = await world.callbacks()
    assert callback["error"]["type"] == "timeout"


async def test_a_task_that_waits_behind_somebody_elses_job_does_not_use_up_its_time(world: World) -> None:
    # Given a runtime that begins with the task only after twice the task's time
    class Busy(ScriptedRuntime):
        async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
            await asyncio.sleep(0.4)
            return await super().run(prepared, monitor)

    await world.ask()
    async with assembled(world, Busy(), task_timeout=0.2) as parts:
        await worked(parts)
    # Then it completes
    assert [callback["status"] for callback in await world.callbacks()] == ["completed"]


async def test_a_task_that_waits_for_too_long_is_released_and_does_not_count(world: World) -> None:
    # Given a runtime that never begins with the task
    class Taken(ScriptedRuntime):
        async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
            await asyncio.Event().wait()
            raise AssertionError

    await world.ask()
    async with assembled(world, Taken(), timings=replace(QUICK, busy_limit=0.1), max_attempts=1) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        failed = await parts.processor.run(prepared, parts.stop)
        assert isinstance(failed, Failed)
        assert isinstance(failed.raised, RuntimeBusy)
        await parts.processor.settle(failed, counted=not parts.readiness.failed("m", failed.raised))
    # Then it is there for others, and nobody hears of a failure
    assert await world.depth() == (1, 0)
    assert await world.callbacks() == []


async def test_a_run_that_ends_as_its_time_is_over_counts_as_ended(world: World) -> None:
    # Given a runtime that has just finished when it is interrupted
    class JustInTime(ScriptedRuntime):
        async def interrupt(self) -> bool:
            finished.set()
            await asyncio.sleep(0.05)
            return True

    finished = asyncio.Event()

    async def work(_: Job) -> Result:
        await finished.wait()
        return a_result()

    await world.ask()
    async with assembled(world, JustInTime(work), task_timeout=0.1) as parts:
        await worked(parts)
    assert [callback["status"] for callback in await world.callbacks()] == ["completed"]


async def test_a_task_whose_link_is_not_reached_here_is_left_to_other_agents_once(world: World) -> None:
    # Given a link whose server is in trouble
    asked = 0

    async def trouble(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=503)

    app = web.Application()
    app.router.add_get("/a.png", trouble)
    limits = Limits(
        max_bytes=1000, timeout=30, networks=(ip_network("127.0.0.0/8"),), allow_loopback=True, retry_pause=0.01
    )
    attempts = []
    async with serving(app) as server, assembled(world, ScriptedRuntime(), limits=limits) as parts:
        content = {"prompt": "a", "init_images": [f"{server}/a.png"]}
        await world.ask(tasktype=TaskType.IMAGE_TO_IMAGE, content=content)
        # When the task is delivered to this agent three times
        for _ in range(3):
            before = asked
            assert await parts.processor.prepare(await received(parts)) is None
            attempts.append(asked > before)
    # Then it is attempted, left to others, and attempted again
    assert attempts == [True, False, True]
