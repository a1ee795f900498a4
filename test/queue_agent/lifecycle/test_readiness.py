"""Whether the runtime would take a task: watched while it is idle, and never for longer than the limit."""

import asyncio

import pytest

from queue_agent.errors import RuntimeUnavailable
from queue_agent.lifecycle.readiness import Readiness
from queue_agent.lifecycle.shutdown import Shutdown
from test.support.agent import ScriptedRuntime, running, until


async def test_a_ready_runtime_is_seen_at_once_and_a_lost_one_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a runtime that is ready
    monkeypatch.setattr("queue_agent.lifecycle.readiness.READY_POLL_SECONDS", 0.05)
    runtime, stop = ScriptedRuntime(), Shutdown()
    readiness = Readiness(runtime, away_limit=60)
    async with running(readiness.watch(stop)):
        await asyncio.wait_for(readiness.ready.wait(), 30)
        # When it goes away, then that is seen
        runtime.is_ready = False
        await until(lambda: not readiness.ready.is_set())
        # And when it is back, that too
        runtime.is_ready = True
        await asyncio.wait_for(readiness.ready.wait(), 30)


async def test_a_running_task_is_not_disturbed_by_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a runtime at work that would not answer
    monkeypatch.setattr("queue_agent.lifecycle.readiness.READY_POLL_SECONDS", 0.01)
    runtime, stop = ScriptedRuntime(), Shutdown()
    readiness = Readiness(runtime, away_limit=60)
    async with running(readiness.watch(stop)):
        await asyncio.wait_for(readiness.ready.wait(), 30)
        readiness.running = True
        runtime.is_ready = False
        # When it is watched for a while, then it still counts as ready
        await asyncio.sleep(0.3)
        assert readiness.ready.is_set()


async def test_a_runtime_that_was_away_for_a_moment_starts_its_limit_anew() -> None:
    # Given a runtime that was away once
    runtime = ScriptedRuntime()
    readiness = Readiness(runtime, away_limit=0)
    runtime.is_ready = False
    assert not await readiness.check()
    runtime.is_ready = True
    assert await readiness.check()
    # When it goes away again, then it has its time again
    runtime.is_ready = False
    assert not await readiness.check()
    # And only then the agent gives it up
    await asyncio.sleep(0.01)
    with pytest.raises(RuntimeUnavailable, match="RUNTIME_AWAY_LIMIT"):
        await readiness.check()


async def test_the_watch_ends_with_the_stop() -> None:
    stop = Shutdown()
    readiness = Readiness(ScriptedRuntime(), away_limit=60)
    async with running(readiness.watch(stop)) as watch:
        await asyncio.wait_for(readiness.ready.wait(), 30)
        stop.request()
        await asyncio.wait_for(watch, 30)
