"""A person points the probe at an address and reads what is there and what is missing."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from contract.runtimes import TASK_TYPES, RuntimeType
from test.support.servers import Serve, serving
from utils.operate.probe import Exit, probe
from utils.simulators.__main__ import make_app
from utils.simulators.base import Options

ROOT = Path(__file__).parents[3]
KINDS = list(RuntimeType)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve an application on a free port."""
    async with serving() as serve:
        yield serve


def _answering(status: int, text: str, *, wait: float = 0) -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(wait)
        return web.Response(status=status, text=text, content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@pytest.mark.parametrize("kind", KINDS)
async def test_it_names_the_server_and_runs_a_task_of_each_type(kind: RuntimeType, serve: Serve) -> None:
    # Given
    url = await serve(make_app(kind)(Options(seconds_per_step=0)))

    # When
    report = await probe(url, run=True)

    # Then
    assert report.code is Exit.WELL, report.lines
    assert f"give the runtime the type {kind.value}" in report.lines[0]
    assert "ready: yes" in report.lines
    for tasktype in TASK_TYPES[kind]:
        assert any(line.startswith(f"{tasktype}: works; 1 output") for line in report.lines)
    assert report.lines[-1].startswith("version: ")
    assert ("(own, run)" if kind is RuntimeType.IMAGEKIT else "(recorded, run)") in report.lines[-1]


@pytest.mark.parametrize("kind", KINDS)
async def test_without_run_nothing_is_run(kind: RuntimeType, serve: Serve) -> None:
    # Given
    posts: list[str] = []

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "GET":
            posts.append(request.path)
        return await handler(request)

    app = make_app(kind)(Options(seconds_per_step=0))
    app.middlewares.append(note)

    # When
    report = await probe(await serve(app))

    # Then
    assert report.code is Exit.WELL
    assert not posts


async def test_a_path_too_many_is_named_with_the_right_address(serve: Serve) -> None:
    # Given
    url = await serve(make_app(RuntimeType.COMFYUI)(Options()))

    # When
    report = await probe(url / "comfy")

    # Then
    assert report.code is Exit.UNKNOWN
    assert report.lines == [f"{url}/comfy: the address has a path too many; ComfyUI answers at {url}"]


@pytest.mark.parametrize(
    ("status", "text", "says"),
    [
        (401, "", "it wants a login (401): put user:password@ before the host"),
        (200, "<html><script>window.gradio_config = {}</script>", "SD WebUI without its API: start it with --api"),
        (200, "<html>It works", "a web server answers (200), but none of SD WebUI, ComfyUI, InvokeAI"),
        (404, "nothing", "a web server answers (404)"),
    ],
)
async def test_another_server_is_told_apart(status: int, text: str, says: str, serve: Serve) -> None:
    # When
    report = await probe(await serve(_answering(status, text)))

    # Then
    assert report.code is Exit.UNKNOWN
    assert says in report.lines[0]


async def test_a_closed_port_is_named_without_the_password(unused_tcp_port: int) -> None:
    # When
    report = await probe(URL(f"http://user:secret@127.0.0.1:{unused_tcp_port}"))

    # Then
    assert report.code is Exit.UNKNOWN
    assert f"http://127.0.0.1:{unused_tcp_port}: nothing answers" in report.lines[0]
    assert "secret" not in report.lines[0]


@pytest.mark.slow
async def test_a_server_that_does_not_answer_is_not_waited_for(serve: Serve) -> None:
    # When
    async with asyncio.timeout(30):
        report = await probe(await serve(_answering(200, "", wait=60)))

    # Then
    assert report.code is Exit.UNKNOWN
    assert "does not answer within 8 s" in report.lines[0]


async def test_slow_stats_are_waited_for(serve: Serve) -> None:
    # Given
    @web.middleware
    async def slow(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/system_stats":
            await asyncio.sleep(2)
        return await handler(request)

    app = make_app(RuntimeType.COMFYUI)(Options())
    app.middlewares.insert(0, slow)

    # When / Then
    assert (await probe(await serve(app))).code is Exit.WELL


async def test_a_server_that_works_for_somebody_else_is_not_ready(serve: Serve) -> None:
    # Given
    @web.middleware
    async def busy(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/queue":
            return web.json_response({"queue_running": [[0, "id", {}, {"client_id": "a person"}, []]]})
        return await handler(request)

    app = make_app(RuntimeType.COMFYUI)(Options())
    app.middlewares.insert(0, busy)

    # When
    report = await probe(await serve(app))

    # Then
    assert report.code is Exit.NOT_READY
    assert any(line.startswith("ready: no; ComfyUI works for another client") for line in report.lines)


async def test_a_server_without_models_is_said_so(serve: Serve) -> None:
    # When
    report = await probe(await serve(make_app(RuntimeType.COMFYUI)(Options(models=()))))

    # Then
    assert report.code is Exit.NOT_READY
    assert "models: none; install one, or only tasks without a model succeed" in report.lines


async def test_a_task_that_fails_is_told_with_its_cause(serve: Serve) -> None:
    # Given
    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("img2img"):
            return web.json_response({"detail": "Invalid encoded image"}, status=500)
        return await handler(request)

    app = make_app(RuntimeType.SDWEBUI)(Options(seconds_per_step=0))
    app.middlewares.insert(0, refuse)

    # When
    report = await probe(await serve(app), run=True)

    # Then
    assert report.code is Exit.TASK_FAILED
    assert any(line.startswith("image-to-image: failed; SD WebUI refused img2img") for line in report.lines)
    assert any(line.startswith("text-to-image: works") for line in report.lines)


@pytest.mark.parametrize(("arguments", "code"), [(["ftp://x"], 2), ([], 2), (["127.0.0.1:1"], 3)])
def test_the_command_ends_with_its_exit_code(arguments: list[str], code: int) -> None:
    # When
    ended = subprocess.run(
        [sys.executable, "-m", "sd_on_eks", "ops", "probe", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )

    # Then
    assert ended.returncode == code, ended.stderr
