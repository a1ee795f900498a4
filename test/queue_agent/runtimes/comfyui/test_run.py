"""A run is told as it went, whatever the events, the restarts and other users do."""

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from queue_agent.errors import RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import Runtime
from queue_agent.runtimes.comfyui import run as run_module
from queue_agent.runtimes.comfyui.api import Api
from test.support.runtimes import run_job

from .conftest import SLOW, Comfy, Other, begin, end, error_of, flat, job, painting, pixels


async def test_a_cached_workflow_that_ends_at_once_gives_its_images_again(comfy: Comfy, runtime: Runtime) -> None:
    # Given
    first = await run_job(runtime, job(flat()))

    # When
    again = await run_job(runtime, job(flat()))

    # Then
    assert await pixels(again.outputs[0]) == await pixels(first.outputs[0])
    assert comfy.calls.count("POST /prompt") == 2


async def test_without_any_event_the_history_tells_the_end(comfy: Comfy, runtime: Runtime) -> None:
    # Given
    async def refuse_sockets(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.Response(status=503) if request.path == "/ws" else await handler(request)

    await comfy.stop()
    comfy.tamper = refuse_sockets
    await comfy.start()

    # When
    result = await run_job(runtime, job(painting()))

    # Then
    assert len(result.outputs) == 1
    assert await runtime.progress() is None


async def test_a_restart_in_the_middle_is_told_as_the_runtime_gone(comfy: Comfy, runtime: Runtime) -> None:
    # Given
    run = await begin(runtime, SLOW)

    # When
    await comfy.stop()
    await comfy.start()

    # Then
    with pytest.raises(RuntimeUnavailable, match="no longer knows the workflow"):
        await end(run)
    assert len((await run_job(runtime, job(flat()))).outputs) == 1


async def test_a_runtime_that_falls_silent_is_not_waited_for_without_end(
    comfy: Comfy, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(run_module, "SILENT_SECONDS", 0.2)
    run = await begin(runtime, SLOW)

    async def fail(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.Response(status=500)

    # When
    comfy.tamper = fail

    # Then
    with pytest.raises(RuntimeFault, match="ComfyUI answered 500 to GET /history/"):
        await end(run)


async def test_a_hiccup_of_the_runtime_does_not_end_the_run(comfy: Comfy, runtime: Runtime) -> None:
    # Given
    hiccups = iter([True, True])

    async def stumble(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/history/") and next(hiccups, False):
            return web.Response(status=500)
        return await handler(request)

    comfy.tamper = stumble

    # When
    result = await run_job(runtime, job(flat()))

    # Then
    assert len(result.outputs) == 1


async def test_a_workflow_that_ends_between_two_looks_is_not_taken_as_lost(
    comfy: Comfy, runtime: Runtime, other: Other
) -> None:
    # Given a history that is asked just before the record is written, and a queue just after
    async def come_too_early(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/history/") and comfy.calls.count(f"GET {request.path}") == 1:
            return web.json_response({})
        return await handler(request)

    comfy.tamper = come_too_early

    # When
    result = await run_job(runtime, job(flat()))

    # Then
    assert len(result.outputs) == 1


async def test_a_history_without_a_word_of_how_it_ended_is_no_success(comfy: Comfy, runtime: Runtime) -> None:
    # Given
    async def forget_status(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if request.path.startswith("/history/") and isinstance(answer, web.Response):
            history = json.loads(answer.text or "")
            return web.json_response({key: record | {"status": None} for key, record in history.items()})
        return answer

    comfy.tamper = forget_status

    # When
    fault = await error_of(runtime, flat())

    # Then
    assert isinstance(fault, RuntimeFault)
    assert fault.type == "unknown-end"


async def test_nothing_of_a_task_is_kept_after_its_end(runtime: Runtime) -> None:
    # Given
    before = {key: value for key, value in vars(runtime).items() if not isinstance(value, Api)}

    # When
    await run_job(runtime, job(painting(prompt="a secret garden")))
    await error_of(runtime, {"1": {"class_type": "NoSuchNode", "inputs": {}}})

    # Then
    after = {key: value for key, value in vars(runtime).items() if not isinstance(value, Api)}
    assert {key for key in after if after[key] != before[key]} == {"version", "_swept"}
    assert after["_events"].watch is None
    assert await runtime.progress() is None


async def test_progress_counts_nodes_and_the_steps_of_the_one_that_runs(runtime: Runtime) -> None:
    # Given
    run = await begin(runtime, painting(steps=100))
    seen: list[float] = []

    # When
    while not run.done():
        now = await runtime.progress()
        if now is not None:
            seen.append(now)
        await asyncio.sleep(0.005)

    # Then
    assert seen == sorted(seen)
    assert len(set(seen)) > 10
    assert seen[-1] <= 1
