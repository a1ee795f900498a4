"""Whose turn it is: other clients' prompts, prompts of an earlier process, and when the task's time begins."""

import asyncio
import time

import pytest
from aiohttp import ClientSession

from contract.runtimes import RuntimeType
from queue_agent.errors import Interrupted, RuntimeBusy, RuntimeFault
from queue_agent.runtimes import open_runtime
from queue_agent.runtimes.base import Result, RunMonitor, Runtime
from queue_agent.runtimes.comfyui.run import FIRST_POLL
from test.support.runtimes import NotingMonitor, is_ready, run_job

from .conftest import PATIENCE, SLOW, Comfy, Other, end, eventually, flat, job, painting, read


async def _running(other: Other) -> bool:
    return bool((await other.get("queue"))["queue_running"])


def _start(runtime: Runtime, workflow: dict[str, object], monitor: RunMonitor) -> asyncio.Task[Result]:
    async def run() -> Result:
        return await runtime.run(await runtime.prepare(job(workflow)), monitor)

    return asyncio.create_task(run())


async def _left_by_an_earlier_process(comfy: Comfy, session: ClientSession, workflow: dict[str, object]) -> str:
    """The id of a prompt that runs on after its agent was killed."""
    monitor = RunMonitor()
    async with open_runtime(RuntimeType.COMFYUI, comfy.url, session) as earlier:
        run = _start(earlier, workflow, monitor)
        await asyncio.wait_for(monitor.begun.wait(), PATIENCE)
        run.cancel()
        await asyncio.wait([run])
    assert monitor.job_ref is not None
    return monitor.job_ref


async def test_behind_somebody_elses_prompt_the_tasks_time_does_not_begin(runtime: Runtime, other: Other) -> None:
    # Given
    await other.queue(SLOW)
    await eventually(lambda: _running(other))
    monitor = NotingMonitor()

    # When
    run = _start(runtime, flat(), monitor)
    await eventually(other.pending)
    await eventually(monitor.waited)
    begun_early = monitor.begun.is_set()
    await other.post("interrupt", {})
    result = await end(run)

    # Then
    assert not begun_early
    assert monitor.begun.is_set()
    assert monitor.job_ref
    assert len(result.outputs) == 1


async def test_the_tasks_seconds_are_its_own_however_seldom_the_queue_is_looked_at(
    runtime: Runtime, other: Other
) -> None:
    # Given a prompt that was seen to wait behind somebody else's
    await other.queue(SLOW)
    await eventually(lambda: _running(other))
    monitor = NotingMonitor()
    run = _start(runtime, flat(), monitor)
    await eventually(monitor.waited)
    # When its turn comes a while later, but before the next look
    await asyncio.sleep(FIRST_POLL / 2)
    began = time.monotonic()
    await other.post("interrupt", {})
    await end(run)
    # Then
    assert 0 < monitor.seconds <= time.monotonic() - began


async def test_without_events_the_queue_tells_that_a_prompt_has_begun(comfy: Comfy, session: ClientSession) -> None:
    # Given
    monitor = RunMonitor()
    runtime = open_runtime(RuntimeType.COMFYUI, comfy.url, session)

    # When it was not entered, so that nobody listens
    run = _start(runtime, SLOW, monitor)

    # Then
    await asyncio.wait_for(monitor.begun.wait(), PATIENCE)
    assert await runtime.interrupt()
    with pytest.raises(Interrupted):
        await end(run)


async def test_a_runtime_that_works_for_somebody_else_is_busy(runtime: Runtime, other: Other) -> None:
    # Given
    await other.queue(SLOW)
    await eventually(lambda: _running(other))

    # When
    with pytest.raises(RuntimeBusy, match="its queue holds 1 other prompt"):
        await runtime.check_ready()

    # Then
    await other.post("interrupt", {})
    await eventually(lambda: is_ready(runtime))


async def test_a_runtime_that_works_for_this_agent_is_not_called_busy(runtime: Runtime, other: Other) -> None:
    # Given
    monitor = RunMonitor()
    run = _start(runtime, SLOW, monitor)
    await asyncio.wait_for(monitor.begun.wait(), PATIENCE)
    await other.queue(flat())

    # When / Then
    await runtime.check_ready()
    await runtime.interrupt()
    await asyncio.wait([run])


async def test_a_prompt_of_an_earlier_process_is_adopted_with_its_result(
    comfy: Comfy, session: ClientSession, other: Other
) -> None:
    # Given
    workflow = painting(steps=150)
    job_ref = await _left_by_an_earlier_process(comfy, session, workflow)

    # When
    second = RunMonitor()
    async with open_runtime(RuntimeType.COMFYUI, comfy.url, session) as runtime:
        await runtime.check_ready()
        result = await runtime.adopt(await runtime.prepare(job(workflow)), job_ref, second)

        # Then
        assert result is not None
        assert await read(result.outputs[0])
        assert second.begun.is_set()
        assert comfy.calls.count("POST /prompt") == 1
        again = await runtime.adopt(await runtime.prepare(job(workflow)), job_ref, RunMonitor())
        assert again is not None, "one that has ended is known as well"


async def test_an_adopted_prompt_can_be_interrupted(comfy: Comfy, session: ClientSession, other: Other) -> None:
    # Given
    job_ref = await _left_by_an_earlier_process(comfy, session, SLOW)
    second = RunMonitor()
    async with open_runtime(RuntimeType.COMFYUI, comfy.url, session) as runtime:
        adopted = asyncio.ensure_future(runtime.adopt(await runtime.prepare(job(SLOW)), job_ref, second))
        await asyncio.wait_for(second.begun.wait(), PATIENCE)

        # When
        stopped = await runtime.interrupt()

        # Then
        assert stopped
        with pytest.raises(Interrupted):
            await asyncio.wait_for(adopted, PATIENCE)
    assert not await _running(other)


async def test_an_unknown_prompt_is_not_adopted(runtime: Runtime) -> None:
    # When
    result = await runtime.adopt(await runtime.prepare(job(flat())), "no-such-prompt", RunMonitor())

    # Then
    assert result is None


async def test_a_prompt_of_an_earlier_process_that_nobody_adopts_is_stopped_before_the_first_run(
    comfy: Comfy, session: ClientSession, other: Other
) -> None:
    # Given
    job_ref = await _left_by_an_earlier_process(comfy, session, SLOW)

    # When
    async with open_runtime(RuntimeType.COMFYUI, comfy.url, session) as runtime:
        await runtime.check_ready()
        result = await asyncio.wait_for(run_job(runtime, job(flat())), PATIENCE)

    # Then
    assert len(result.outputs) == 1
    record = await other.get(f"history/{job_ref}")
    assert record[job_ref]["status"]["status_str"] == "error"


async def test_a_leftover_that_does_not_stop_keeps_the_runtime_from_taking_tasks(
    comfy: Comfy, session: ClientSession, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr("queue_agent.runtimes.comfyui.queue.STOP_SECONDS", 0.2)
    await other.post("prompt", {"prompt": SLOW, "client_id": "queue-agent-of-an-earlier-process"})
    await eventually(lambda: _running(other))
    monkeypatch.setattr("utils.simulators.comfyui.queue.PromptQueue.interrupt", lambda *_: None)

    # When
    async with open_runtime(RuntimeType.COMFYUI, comfy.url, session) as runtime:
        with pytest.raises(RuntimeFault) as caught:
            await run_job(runtime, job(flat()))

    # Then
    assert caught.value.type == "busy"
