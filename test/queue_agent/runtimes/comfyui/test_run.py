"""A run is told as it went, whatever the events, the restarts and other users do."""

import asyncio
import json

import pytest
from aiohttp import ClientSession, web
from aiohttp.typedefs import Handler

from contract.runtimes import RuntimeType
from queue_agent.errors import RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes import open_runtime
from queue_agent.runtimes.base import Runtime
from queue_agent.runtimes.comfyui import events as events_module
from queue_agent.runtimes.comfyui import run as run_module
from queue_agent.runtimes.comfyui.api import Api
from test.support.runtimes import is_ready, run_job

from .conftest import PATIENCE, SLOW, Comfy, Other, begin, end, error_of, eventually, flat, job, painting, pixels


@pytest.fixture
def never_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "FIRST_POLL", 3600.0)
    monkeypatch.setattr(run_module, "LAST_POLL", 3600.0)


async def test_one_socket_is_opened_before_the_first_prompt_and_kept_across_tasks(
    comfy: Comfy, runtime: Runtime
) -> None:
    # When
    for seed in range(3):
        await run_job(runtime, job(painting(seed=seed)))

    # Then
    assert comfy.calls.count("GET /ws") == 1
    assert comfy.calls.index("GET /ws") < comfy.calls.index("POST /prompt")


async def test_a_cached_workflow_that_ends_at_once_gives_its_pictures_again(comfy: Comfy, runtime: Runtime) -> None:
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


async def test_events_that_are_no_events_are_passed_over(comfy: Comfy, session: ClientSession) -> None:
    # Given
    async def babble(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != "/ws":
            return await handler(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for text in (
            "",
            "no JSON",
            "[]",
            '{"type": 1, "data": {}}',
            '{"type": "progress_state", "data": {"nodes": 1}}',
        ):
            await socket.send_str(text)
        await socket.send_bytes(b"\x00\x00\x00\x01\x00\x00\x00\x01preview")
        async for _ in socket:
            pass
        return socket

    comfy.tamper = babble
    async with open_runtime(RuntimeType.COMFYUI, comfy.url, session) as runtime:
        # When
        result = await run_job(runtime, job(flat()))

        # Then
        assert len(result.outputs) == 1
        assert comfy.calls.count("GET /ws") == 1


async def test_previews_on_the_socket_do_no_harm(runtime: Runtime) -> None:
    # When
    result = await run_job(runtime, job({"prompt": painting(), "extra_data": {"preview_method": "auto"}}))

    # Then
    assert len(result.outputs) == 1


async def test_a_socket_that_breaks_off_is_opened_again_while_the_workflow_runs(comfy: Comfy, runtime: Runtime) -> None:
    # Given
    sockets: list[web.Request] = []

    async def reopened() -> bool:
        return len(sockets) > 1

    async def keep(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/ws":
            sockets.append(request)
        return await handler(request)

    await comfy.stop()
    comfy.tamper = keep
    await comfy.start()
    run = await begin(runtime, painting(steps=200))

    # When
    assert sockets[-1].transport is not None
    sockets[-1].transport.abort()

    # Then
    await eventually(reopened)
    assert len((await end(run)).outputs) == 1


async def test_events_tell_when_to_look_so_that_nobody_waits_for_the_next_poll(
    comfy: Comfy, runtime: Runtime, never_polls: None
) -> None:
    # When
    result = await asyncio.wait_for(run_job(runtime, job(painting())), PATIENCE)
    run = await begin(runtime, SLOW)
    await comfy.stop()
    await comfy.start()

    # Then
    assert len(result.outputs) == 1
    with pytest.raises(RuntimeUnavailable):
        await end(run)


async def test_the_death_of_the_runtime_is_noticed_by_its_socket(
    comfy: Comfy, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given polls that are far apart once the workflow runs
    monkeypatch.setattr(run_module, "POLL_GROWTH", 1e6)
    monkeypatch.setattr(run_module, "LAST_POLL", 3600.0)
    monkeypatch.setattr(run_module, "GONE_SECONDS", 0.2)
    run = await begin(runtime, SLOW)

    async def polled() -> bool:
        return [call[:10] for call in comfy.calls[-2:]] == ["GET /histo", "GET /queue"]

    await eventually(polled)
    assert await is_ready(runtime)

    # When
    await comfy.stop()

    # Then
    with pytest.raises(RuntimeUnavailable, match="cannot be reached"):
        await end(run)


async def test_a_run_connects_at_once_where_the_next_attempt_would_be_far_away(
    comfy: Comfy, session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(events_module, "FIRST_PAUSE", 3600.0)
    refusals = iter([True])

    async def refuse_once(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/ws" and next(refusals, False):
            return web.Response(status=503)
        return await handler(request)

    async def refused() -> bool:
        return comfy.calls.count("GET /ws") == 1

    comfy.tamper = refuse_once
    async with open_runtime(RuntimeType.COMFYUI, comfy.url, session) as runtime:
        await eventually(refused)

        # When
        await run_job(runtime, job(flat()))

    # Then
    assert comfy.calls.count("GET /ws") == 2


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
