"""What a task can make the agent hold. Each attack runs against an agent in a process of its own; the kernel counts its
peak of resident memory, so that no moment is missed."""

import asyncio
import base64
import json
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from contract.runtimes import TaskType
from queue_agent.runtimes.body import MAX_ANSWER_BYTES, MAX_IMAGES_ANSWER_BYTES
from test.bench.stage import agent_environment, end, start_agent
from test.bench.webui import serving
from test.support.web import a_site
from test.support.world import World, until
from utils.simulators.base import Options
from utils.simulators.comfyui import make_app as comfyui
from utils.simulators.sdwebui import make_app as sdwebui

MIB = 1024 * 1024

MAX_RSS = 512 * MIB
"""The promise: a quarter of what the agent's container may use."""

LINKED_BYTES = 31 * MIB
"""Just below what a file behind a link may have."""

IMAGES_BYTES = MAX_IMAGES_ANSWER_BYTES * 3 // 4 - MIB
"""Of images in base64 whose answer is just read."""

PATIENCE = 180.0
"""Seconds for one attack; generous, for a busy machine."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc"),
]


@asynccontextmanager
async def an_agent(
    world: World, moto_url: str, app: web.Application, log: Path, **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """An agent beside a runtime, both on loopback."""
    async with serving(app) as runtime:
        environment = agent_environment(world, moto_url, runtime, ALLOW_LOOPBACK_LINKS="1", **more)
        process = await start_agent(environment, log=log)
        try:
            yield process
        finally:
            await end(process)


def peak(process: asyncio.subprocess.Process) -> int:
    """The most resident memory that the process has had so far, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return max(int(found[1]) * 1024, psutil.Process(process.pid).memory_info().rss)


async def callbacks(world: World, number: int = 1) -> list[dict[str, Any]]:
    """That many callbacks, once they are there."""

    async def arrived() -> list[dict[str, Any]]:
        found = await world.callbacks()
        return found if len(found) >= number else []

    found: list[dict[str, Any]] = await until(arrived, PATIENCE)
    return found


@asynccontextmanager
async def a_large_file() -> AsyncIterator[str]:
    """A link to a file of LINKED_BYTES."""
    async with a_site() as site:
        yield site.serve("/large.png", b"\x89PNG\r\n\x1a\n" + os.urandom(LINKED_BYTES))


def large(make_app: Callable[[Options], web.Application]) -> web.Application:
    app = make_app(Options(seconds_per_step=0.001))
    app._client_max_size = 1024 * MIB
    return app


async def test_one_large_link_at_16_places_of_a_webui_task(world: World, moto_url: str, tmp_path: Path) -> None:
    # Given
    async with a_large_file() as link, an_agent(world, moto_url, large(sdwebui), tmp_path / "log") as agent:
        # When
        content = {"prompt": "a dog", "init_images": [link] * 16}
        await world.ask(tasktype=TaskType.IMAGE_TO_IMAGE, content=content)
        (callback,) = await callbacks(world)
        # Then
        assert callback["error"]["type"] == "link"
        assert "all links of the task together are too large" in callback["error"]["message"]
        assert peak(agent) <= MAX_RSS, f"{peak(agent) / MIB:.0f} MiB"


async def test_tasks_with_as_large_inputs_as_are_allowed(world: World, moto_url: str, tmp_path: Path) -> None:
    # Given a WebUI that takes its time, so that the next task is prepared meanwhile
    app = a_webui(an_answer(b"image"), seconds=3)
    async with a_large_file() as link, an_agent(world, moto_url, app, tmp_path / "log") as agent:
        # When
        for number in range(3):
            content = {"prompt": "a dog", "init_images": [link] * 4}
            await world.ask(f"t{number}", tasktype=TaskType.IMAGE_TO_IMAGE, content=content)
        received = await callbacks(world, 3)
        # Then
        assert all(callback["result"] for callback in received), received
        assert peak(agent) <= MAX_RSS, f"{peak(agent) / MIB:.0f} MiB"


async def test_answers_of_a_webui_as_large_as_are_read(world: World, moto_url: str, tmp_path: Path) -> None:
    # Given images that make an answer of nearly what is read
    app = a_webui(an_answer(*(os.urandom(IMAGES_BYTES // 3) for _ in range(3))))
    async with an_agent(world, moto_url, app, tmp_path / "log") as agent:
        # When
        for number in range(3):
            await world.ask(f"t{number}")
        received = await callbacks(world, 3)
        # Then
        assert [len(callback["image_url"]) for callback in received] == [3, 3, 3]
        assert peak(agent) <= MAX_RSS, f"{peak(agent) / MIB:.0f} MiB"


async def test_a_huge_answer_of_a_webui(world: World, moto_url: str, tmp_path: Path) -> None:
    # Given
    async with an_agent(world, moto_url, a_webui(b" " * (600 * MIB)), tmp_path / "log") as agent:
        # When
        await world.ask()
        (callback,) = await callbacks(world)
        # Then
        assert callback["error"]["type"] == "output-limit"
        assert f"its answer is larger than {MAX_IMAGES_ANSWER_BYTES} bytes" in callback["error"]["message"]
        assert peak(agent) <= MAX_RSS, f"{peak(agent) / MIB:.0f} MiB"


async def test_a_comfyui_output_that_is_listed_many_times(world: World, moto_url: str, tmp_path: Path) -> None:
    # Given a ComfyUI whose record names one file of 20 MiB 5,000 times
    served: list[str] = []
    app = a_comfyui([an_entry("large.png")] * 5000, os.urandom(20 * MIB), served)
    async with an_agent(world, moto_url, app, tmp_path / "log", RUNTIME_TYPE="comfyui") as agent:
        # When
        await world.ask(tasktype=TaskType.PIPELINE, content=A_WORKFLOW)
        (callback,) = await callbacks(world)
        # Then it is fetched and stored once
        assert callback["result"] is True, callback
        assert len(callback["image_url"]) == 1
        assert served == ["large.png"]
        assert peak(agent) <= MAX_RSS, f"{peak(agent) / MIB:.0f} MiB"


async def test_a_comfyui_run_with_large_outputs_beyond_the_limit(world: World, moto_url: str, tmp_path: Path) -> None:
    # Given
    served: list[str] = []
    app = a_comfyui([an_entry(f"{number}.png") for number in range(16)], os.urandom(20 * MIB), served)
    policy = json.dumps({"maxTotalOutputBytes": 64 * MIB})
    more = {"RUNTIME_TYPE": "comfyui", "TASK_POLICY": policy}
    async with an_agent(world, moto_url, app, tmp_path / "log", **more) as agent:
        # When
        await world.ask(tasktype=TaskType.PIPELINE, content=A_WORKFLOW)
        (callback,) = await callbacks(world)
        # Then
        assert callback["error"]["type"] == "output-limit"
        assert f"may have {64 * MIB} bytes (taskPolicy.maxTotalOutputBytes)" in callback["error"]["message"]
        assert len(served) < 16
        assert peak(agent) <= MAX_RSS, f"{peak(agent) / MIB:.0f} MiB"


@pytest.mark.parametrize(
    ("size", "name"),
    [
        pytest.param(MAX_ANSWER_BYTES, "a.png", id="as large as is read"),
        pytest.param(600 * MIB, f"{'a' * MIB}.png", id="larger"),  # of few entries, which the simulator writes quickly
    ],
)
async def test_a_huge_record_of_a_comfyui(size: int, name: str, world: World, moto_url: str, tmp_path: Path) -> None:
    # Given
    entry = an_entry(name)
    entries = [entry] * (size // (len(json.dumps(entry)) + 2) - 20)
    async with an_agent(world, moto_url, a_comfyui(entries, b"a"), tmp_path / "log", RUNTIME_TYPE="comfyui") as agent:
        # When
        await world.ask(tasktype=TaskType.PIPELINE, content=A_WORKFLOW)
        (callback,) = await callbacks(world)
        # Then
        assert callback["error"]["type"] == "output-limit"
        assert peak(agent) <= MAX_RSS, f"{peak(agent) / MIB:.0f} MiB"


A_WORKFLOW = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 255}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "a"}},
}


def an_entry(name: str) -> dict[str, str]:
    return {"filename": name, "subfolder": "", "type": "output"}


def a_comfyui(entries: list[dict[str, str]], file: bytes, served: list[str] | None = None) -> web.Application:
    """The simulated ComfyUI, whose records list the entries, each with the same content. ``served`` lists who was
    fetched."""

    @web.middleware
    async def tamper(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/view":
            if served is not None:
                served.append(request.query["filename"])
            return web.Response(body=file)
        response = await handler(request)
        if not request.path.startswith("/history/") or not isinstance(response, web.Response):
            return response
        record = json.loads(response.text or "{}")
        for prompt in record.values():
            prompt["outputs"]["2"]["images"] = entries
        return web.json_response(record)

    app = comfyui(Options(seconds_per_step=0.001))
    app.middlewares.insert(0, tamper)
    return app


def an_answer(*images: bytes) -> bytes:
    """A WebUI's, with these images."""
    info = json.dumps({"sd_model_name": "alpha"})
    return json.dumps({"images": [base64.b64encode(one).decode() for one in images], "info": info}).encode()


def a_webui(body: bytes, seconds: float = 0.0) -> web.Application:
    """A WebUI that takes requests of any size and answers each generation with the body."""

    async def generate(request: web.Request) -> web.Response:
        async for _ in request.content.iter_any():
            pass
        await asyncio.sleep(seconds)
        return web.Response(body=body, content_type="application/json")

    async def question(request: web.Request) -> web.Response:
        model = "alpha.safetensors"
        answers: dict[str, Any] = {
            "sd-models": [{"title": model, "model_name": "alpha"}],
            "options": {"sd_model_checkpoint": model},
            "progress": {"progress": 0, "state": {"job_count": 0}},
        }
        return web.json_response(answers[request.match_info["route"]])

    app = web.Application()
    app.router.add_post("/sdapi/v1/{route}", generate)
    app.router.add_get("/sdapi/v1/{route}", question)
    return app
