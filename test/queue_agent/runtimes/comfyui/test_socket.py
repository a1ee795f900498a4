"""The socket to ComfyUI: opened once, opened again when it breaks off, and no more than a hint of when to look."""

import asyncio

import pytest
from aiohttp import ClientSession, web
from aiohttp.typedefs import Handler

from contract.runtimes import RuntimeType
from queue_agent.errors import RuntimeUnavailable
from queue_agent.runtimes import open_runtime
from queue_agent.runtimes.base import Runtime
from queue_agent.runtimes.comfyui import events as events_module
from queue_agent.runtimes.comfyui import run as run_module
from test.support.runtimes import is_ready, run_job

from .conftest import PATIENCE, SLOW, Comfy, begin, end, eventually, flat, job, painting


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
