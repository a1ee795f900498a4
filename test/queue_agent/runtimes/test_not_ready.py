"""Why a runtime is not ready, said within ten seconds and without its password."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from contract.runtimes import RuntimeType
from queue_agent.errors import RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes import open_runtime
from queue_agent.runtimes.session import runtime_session
from test.support.servers import Serve, serving
from utils.simulators.__main__ import make_app
from utils.simulators.base import Options

LIMIT = 10.0
"""Seconds until the reason must be known."""

KINDS = list(RuntimeType)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve an application on a free port."""
    async with serving() as serve:
        yield serve


async def _reason(kind: RuntimeType, url: URL) -> RuntimeFault:
    begun = time.monotonic()
    async with (
        runtime_session() as session,
        open_runtime(kind, url, session) as runtime,
    ):
        with pytest.raises(RuntimeFault) as caught:
            await runtime.check_ready()
    assert time.monotonic() - begun < LIMIT
    return caught.value


def _always(status: int, text: str = "no") -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@pytest.mark.parametrize("kind", KINDS)
async def test_a_closed_port(kind: RuntimeType, unused_tcp_port: int) -> None:
    # When
    fault = await _reason(kind, URL(f"http://user:secret@127.0.0.1:{unused_tcp_port}/base"))

    # Then
    assert isinstance(fault, RuntimeUnavailable)
    assert f"cannot be reached at http://127.0.0.1:{unused_tcp_port}/base" in fault.message
    assert "secret" not in fault.message


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_path(kind: RuntimeType, serve: Serve) -> None:
    # Given
    url = await serve(make_app(kind)(Options()))

    # When
    fault = await _reason(kind, url / "base")

    # Then
    assert "path" in fault.message or "404" in fault.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
async def test_a_server_of_another_type(kind: RuntimeType, other: RuntimeType, serve: Serve) -> None:
    # Given
    if kind is other:
        return
    url = await serve(make_app(other)(Options()))

    # When
    fault = await _reason(kind, url)

    # Then
    assert fault.type == "wrong-type"
    assert f"give the runtime the type {other.value}" in fault.message


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_login_that_is_wanted(kind: RuntimeType, status: int, serve: Serve) -> None:
    # When
    fault = await _reason(kind, await serve(_always(status)))

    # Then
    assert fault.type == "login-wanted"
    assert "login" in fault.message


@pytest.mark.parametrize("kind", KINDS)
async def test_a_login_in_the_address_is_used(kind: RuntimeType, serve: Serve) -> None:
    # Given
    app = make_app(kind)(Options(seconds_per_step=0))

    @web.middleware
    async def login(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Basic dXNlcjpzZWNyZXQ=":
            return web.Response(status=401)
        return await handler(request)

    app.middlewares.insert(0, login)
    url = (await serve(app)).with_user("user").with_password("secret")

    # When / Then
    async with (
        runtime_session() as session,
        open_runtime(kind, url, session) as runtime,
    ):
        await runtime.check_ready()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_takes_too_long(kind: RuntimeType, serve: Serve) -> None:
    # Given
    async def wait(_: web.Request) -> web.Response:
        await asyncio.sleep(LIMIT + 2)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", wait)

    # When
    fault = await _reason(kind, await serve(app))

    # Then
    assert fault.type == "runtime-silent"
    assert "within 8 s" in fault.message


async def test_a_comfyui_whose_stats_take_four_seconds_is_ready(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    app = make_app(RuntimeType.COMFYUI)(Options())

    @web.middleware
    async def slow(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/system_stats":
            await asyncio.sleep(4)
        return await handler(request)

    app.middlewares.insert(0, slow)
    url = await serve(app)

    # When / Then
    async with (
        runtime_session() as session,
        open_runtime(RuntimeType.COMFYUI, url, session) as runtime,
    ):
        await runtime.check_ready()


async def test_a_comfyui_that_is_starting_names_what_is_wrong(serve: Serve) -> None:
    # When
    fault = await _reason(RuntimeType.COMFYUI, await serve(_always(200, '{"system": "starting"}')))

    # Then
    assert "its /system_stats names no system: 'starting'" in fault.message


async def test_a_webui_without_a_model(serve: Serve) -> None:
    # Given
    async def answer(request: web.Request) -> web.Response:
        answers = {"sd-models": [], "options": {}, "progress": {"progress": 0, "state": {"job_count": 0}}}
        return web.json_response(answers[request.match_info["route"]])

    app = web.Application()
    app.router.add_route("*", "/sdapi/v1/{route}", answer)

    # When
    fault = await _reason(RuntimeType.SDWEBUI, await serve(app))

    # Then
    assert fault.type == "no-model"
    assert "models/Stable-diffusion" in fault.message
