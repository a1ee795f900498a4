"""The adapter beside a simulated ComfyUI in this process, whose every request is seen and may be tampered with."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import ClientSession, web
from aiohttp.typedefs import Handler
from PIL import Image
from yarl import URL

from contract.runtimes import RuntimeType, TaskType
from queue_agent.errors import AgentError
from queue_agent.runtimes import open_runtime
from queue_agent.runtimes.base import File, Job, Output, Result, Runtime
from queue_agent.runtimes.base import Path as ContentPath
from queue_agent.runtimes.session import runtime_session
from test.support.runtimes import run_job
from utils.simulators.base import Options
from utils.simulators.comfyui import make_app
from utils.simulators.comfyui.disk import Disk, Folder
from utils.simulators.comfyui.server import DISK

RECORDINGS = Path(__file__).parents[3] / "events" / "comfyui-0.3.64"

PATIENCE = 30.0
"""Seconds until what must come is taken as not coming; generous, for a busy machine."""

T = TypeVar("T")

Tamper = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


class Comfy:
    """A simulated ComfyUI. ``calls`` lists what was asked, as ``"METHOD /path"``; ``tamper`` may answer instead."""

    def __init__(self) -> None:
        self.url = URL()
        self.calls: list[str] = []
        self.tamper: Tamper | None = None
        self.disk = Disk()
        self._runner: web.AppRunner | None = None

    async def start(self, *, seconds_per_step: float = 0.005, cache_lru: int = 0) -> None:
        """Start it with nothing in it; a second start takes the same port again."""
        app = make_app(Options(seconds_per_step=seconds_per_step, cache_lru=cache_lru))
        app.middlewares.insert(0, self._see)
        self.disk = app[DISK]
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.url.port or 0).start()
        self.url = URL(f"http://127.0.0.1:{self._runner.addresses[0][1]}")

    def sizes(self, folder: Folder) -> dict[str, int]:
        """The files in the folder, with their bytes."""
        return {place.filename: len(self.disk.read(place) or b"") for place in self.disk.places(folder)}

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _see(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        return await (self.tamper(request, handler) if self.tamper else handler(request))


class Other:
    """Somebody else who uses the same ComfyUI."""

    def __init__(self, comfy: Comfy, session: ClientSession) -> None:
        self._comfy = comfy
        self._session = session

    async def get(self, path: str, **params: str) -> Any:
        async with self._session.get(self._comfy.url / path, params=params) as answer:
            return await answer.json()

    async def pending(self) -> list[Any]:
        """The prompts that wait."""
        return list((await self.get("queue"))["queue_pending"])

    async def read(self, path: str, **params: str) -> tuple[int, bytes]:
        async with self._session.get(self._comfy.url / path, params=params) as answer:
            return answer.status, await answer.read()

    async def post(self, path: str, body: Any) -> Any:
        async with self._session.post(self._comfy.url / path, json=body) as answer:
            return await answer.json() if answer.content_type == "application/json" else await answer.read()

    async def queue(self, workflow: dict[str, Any]) -> str:
        return str((await self.post("prompt", {"prompt": workflow, "client_id": "somebody else"}))["prompt_id"])


@pytest.fixture
async def comfy() -> AsyncIterator[Comfy]:
    comfy = Comfy()
    await comfy.start()
    yield comfy
    await comfy.stop()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """As the agent makes it."""
    async with runtime_session() as session:
        yield session


@pytest.fixture
def other(comfy: Comfy, session: ClientSession) -> Other:
    return Other(comfy, session)


@pytest.fixture
async def runtime(comfy: Comfy, session: ClientSession) -> AsyncIterator[Runtime]:
    async with open_runtime(RuntimeType.COMFYUI, comfy.url, session) as runtime:
        yield runtime


def node(class_type: str, title: str | None = None, **inputs: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"class_type": class_type, "inputs": inputs}
    return made | {"_meta": {"title": title}} if title else made


def job(content: dict[str, Any], files: dict[ContentPath, File] | None = None) -> Job:
    return Job(id="task", tasktype=TaskType.PIPELINE, content=content, files=files or {})


def painting(*, steps: int = 3, seed: int = 7, prompt: str = "a lighthouse", batch_size: int = 1) -> dict[str, Any]:
    """The usual text-to-image workflow."""
    sampling: dict[str, Any] = {
        "seed": seed,
        "steps": steps,
        "cfg": 7,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1,
    }
    sources: dict[str, Any] = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="v1-5-pruned-emaonly.safetensors"),
        "2": node("CLIPTextEncode", text=prompt, clip=["1", 1]),
        "3": node("CLIPTextEncode", text="fog", clip=["1", 1]),
        "4": node("EmptyLatentImage", width=64, height=64, batch_size=batch_size),
        "5": node("KSampler", **sampling, **sources),
        "6": node("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": node("SaveImage", images=["6", 0], filename_prefix="test/picture"),
    }


def flat(**saver: Any) -> dict[str, Any]:
    """A workflow without a model: one flat image, and a node that takes it."""
    return {
        "1": node("EmptyImage", width=16, height=16, batch_size=1, color=255),
        "2": saver or node("SaveImage", images=["1", 0], filename_prefix="flat"),
    }


SLOW = painting(steps=10_000)
"""Runs for about a minute, so in effect until it is stopped."""


def recorded(name: str) -> Any:
    return json.loads((RECORDINGS / f"{name}.json").read_text())


async def read(output: Output) -> bytes:
    return b"".join([chunk async for chunk in output.read()])


async def pixels(output: Output) -> bytes:
    """The image itself: the text chunks around it name the run."""
    return Image.open(BytesIO(await read(output))).tobytes()


async def error_of(runtime: Runtime, content: dict[str, Any]) -> AgentError:
    with pytest.raises(AgentError) as caught:
        await run_job(runtime, job(content))
    return caught.value


def keys(result: Result) -> list[str]:
    return [f"s3://bucket/task-{number}" for number in range(1, len(result.outputs) + 1)]


async def eventually(look: Callable[[], Awaitable[T]]) -> T:
    """Look until there is something to see, and return it."""
    async with asyncio.timeout(PATIENCE):
        while not (seen := await look()):  # noqa: ASYNC110 - what is looked at lies behind a wire
            await asyncio.sleep(0.01)
    return seen


async def begin(runtime: Runtime, workflow: dict[str, object]) -> asyncio.Task[Result]:
    """Run the workflow until ComfyUI is at work on it."""
    run = asyncio.create_task(run_job(runtime, job(workflow)))
    await eventually(runtime.progress)
    return run


async def end(run: asyncio.Task[Result]) -> Result:
    return await asyncio.wait_for(run, PATIENCE)
