"""A task is stopped, by the agent or by somebody else, and nothing else is."""

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from queue_agent.errors import Interrupted, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import Runtime
from test.support.runtimes import run_job

from .conftest import PATIENCE, SLOW, Comfy, Other, begin, end, error_of, eventually, flat, job


async def test_an_interrupt_stops_only_our_workflow(runtime: Runtime, other: Other) -> None:
    # Given
    run = await begin(runtime, SLOW)
    theirs = await other.queue(flat())

    # When
    stopped = await runtime.interrupt()

    # Then
    assert stopped
    with pytest.raises(Interrupted):
        await end(run)
    record = await eventually(lambda: other.get(f"history/{theirs}"))
    assert record[theirs]["status"]["status_str"] == "success"


async def test_a_workflow_that_has_not_started_is_taken_from_the_queue(runtime: Runtime, other: Other) -> None:
    # Given
    theirs = await other.queue(SLOW)
    run = asyncio.create_task(run_job(runtime, job(flat())))
    await eventually(other.pending)

    # When
    stopped = await runtime.interrupt()

    # Then
    assert stopped
    with pytest.raises(Interrupted):
        await end(run)
    queue = await other.get("queue")
    assert [item[1] for item in queue["queue_running"]] == [theirs]
    assert not queue["queue_pending"]
    await other.post("interrupt", {})


async def test_a_run_that_is_interrupted_before_its_workflow_is_sent_does_not_send_it(
    comfy: Comfy, runtime: Runtime
) -> None:
    # Given
    asked = asyncio.Event()

    async def hold(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/queue" and not asked.is_set():
            asked.set()
            await asyncio.sleep(0.3)
        return await handler(request)

    comfy.tamper = hold
    run = asyncio.create_task(run_job(runtime, job(flat())))
    await asyncio.wait_for(asked.wait(), PATIENCE)

    # When
    assert await runtime.interrupt()

    # Then
    with pytest.raises(Interrupted):
        await end(run)
    assert "POST /prompt" not in comfy.calls


async def test_an_interrupt_while_the_workflow_is_on_its_way_waits_until_it_can_be_stopped(
    comfy: Comfy, runtime: Runtime, other: Other
) -> None:
    # Given
    posted, answer = asyncio.Event(), asyncio.Event()

    async def hold(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST" and request.path == "/prompt":
            posted.set()
            await answer.wait()
        return await handler(request)

    comfy.tamper = hold
    run = asyncio.create_task(run_job(runtime, job(SLOW)))
    await asyncio.wait_for(posted.wait(), PATIENCE)

    # When
    interrupt = asyncio.create_task(runtime.interrupt())
    await asyncio.wait([interrupt], timeout=0.3)
    answered_early = interrupt.done()
    answer.set()

    # Then
    assert not answered_early
    assert await asyncio.wait_for(interrupt, PATIENCE)
    with pytest.raises(Interrupted):
        await end(run)
    assert await other.get("queue") == {"queue_running": [], "queue_pending": []}


async def test_an_interruption_by_somebody_else_is_no_success_and_not_the_callers_fault(
    runtime: Runtime, other: Other
) -> None:
    # Given
    run = await begin(runtime, SLOW)

    # When
    await other.post("interrupt", {})

    # Then
    with pytest.raises(RuntimeFault) as caught:
        await end(run)
    assert caught.value.type == "interrupted-elsewhere"
    assert caught.value.message == "another client interrupted the workflow on this ComfyUI"


async def test_a_workflow_that_somebody_else_took_from_the_queue_is_given_back(runtime: Runtime, other: Other) -> None:
    # Given
    await other.queue(SLOW)
    run = asyncio.create_task(run_job(runtime, job(flat())))
    await eventually(other.pending)

    # When
    await other.post("queue", {"clear": True})

    # Then
    with pytest.raises(RuntimeUnavailable, match="another client cleared its queue"):
        await end(run)
    await other.post("interrupt", {})


async def test_what_a_cancelled_run_left_behind_is_stopped_before_the_next_begins(
    comfy: Comfy, runtime: Runtime, other: Other
) -> None:
    # Given
    run = await begin(runtime, SLOW)
    run.cancel()
    await asyncio.wait([run])
    assert (await other.get("queue"))["queue_running"]

    # When
    result = await asyncio.wait_for(run_job(runtime, job(flat())), PATIENCE)

    # Then
    assert len(result.outputs) == 1
    assert "POST /interrupt" in comfy.calls


async def test_a_runtime_that_does_not_stop_is_not_seen_idle_and_gets_no_further_task(
    comfy: Comfy, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr("queue_agent.runtimes.comfyui.queue.STOP_SECONDS", 0.3)

    async def ignore_interrupts(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.Response() if request.path == "/interrupt" else await handler(request)

    comfy.tamper = ignore_interrupts
    run = await begin(runtime, SLOW)

    # When
    idle = await runtime.interrupt()
    run.cancel()
    await asyncio.wait([run])

    # Then
    assert not idle
    fault = await error_of(runtime, flat())
    assert isinstance(fault, RuntimeFault)
    assert fault.type == "busy"
    comfy.tamper = None
    await eventually(runtime.interrupt)


async def test_an_older_comfyui_that_gives_ids_of_its_own_is_followed_and_interrupted_as_well(
    comfy: Comfy, runtime: Runtime
) -> None:
    # Given
    async def older(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST" and request.path in {"/prompt", "/interrupt"}:
            body = await request.json()
            body.pop("prompt_id", None)
            request._read_bytes = json.dumps(body).encode()
        return await handler(request)

    comfy.tamper = older

    # When
    result = await run_job(runtime, job(flat()))
    run = await begin(runtime, SLOW)
    idle = await runtime.interrupt()

    # Then
    assert len(result.outputs) == 1
    assert idle
    with pytest.raises(Interrupted):
        await end(run)


@pytest.mark.slow
async def test_an_interrupt_is_repeated_with_growing_pauses(comfy: Comfy, runtime: Runtime) -> None:
    # Given a node that does not look at interrupts
    async def ignore_interrupts(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.Response() if request.path == "/interrupt" else await handler(request)

    comfy.tamper = ignore_interrupts
    run = await begin(runtime, SLOW)

    # When
    idle = await runtime.interrupt()
    idle_later = await runtime.interrupt()

    # Then
    assert not idle
    assert not idle_later
    assert comfy.calls.count("POST /interrupt") <= 6, "ComfyUI logs each one"
    comfy.tamper = None
    run.cancel()
    await eventually(runtime.interrupt)
