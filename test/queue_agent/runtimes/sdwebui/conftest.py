"""The WebUI adapter against simulated WebUIs in the test's own process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from contract.runtimes import TaskType
from queue_agent.runtimes.base import Job
from queue_agent.runtimes.sdwebui import Adapter
from queue_agent.runtimes.session import runtime_session
from test.support.sdwebui import Client, serve_simulator
from utils.simulators.base import Options
from utils.simulators.sdwebui import make_app

SMALL: dict[str, Any] = {"prompt": "a lighthouse", "seed": 7, "steps": 2, "width": 64, "height": 64}

Connect = Callable[..., AbstractAsyncContextManager[Adapter]]
MakeJob = Callable[..., Job]


@asynccontextmanager
async def _connect(client: Client, **options: Any) -> AsyncIterator[Adapter]:
    async with runtime_session() as session, Adapter(URL(client.base), session, **options) as adapter:
        yield adapter


@pytest.fixture
def connect() -> Connect:
    """Open the adapter at a server, with a session as the agent makes it."""
    return _connect


@pytest.fixture
def make_job() -> MakeJob:
    """A small text-to-image job with further content."""

    def make_job(tasktype: TaskType = TaskType.TEXT_TO_IMAGE, **content: Any) -> Job:
        return Job(id="task", tasktype=tasktype, content=SMALL | content)

    return make_job


@pytest.fixture
async def webui() -> AsyncIterator[Client]:
    """A simulated A1111 with four models, two of which share a file name."""
    models = ("alpha.safetensors", "beta.safetensors", "art/beta.safetensors", "art/gamma.safetensors")
    async with serve_simulator(Options(models=models, seconds_per_step=0.001)) as client:
        yield client


@pytest.fixture
async def adapter(webui: Client) -> AsyncIterator[Adapter]:
    async with _connect(webui) as adapter:
        yield adapter


@pytest.fixture
async def dynamic(webui: Client) -> AsyncIterator[Adapter]:
    """The adapter of a runtime whose model each task may choose."""
    async with _connect(webui, dynamic_model=True) as adapter:
        yield adapter


class Watched:
    """A simulated WebUI that counts the calls that change something."""

    def __init__(self, options: Options) -> None:
        self.calls: list[str] = []
        self.app = make_app(options)
        self.app.middlewares.append(self._count)

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method == "POST":
            self.calls.append(request.path.rpartition("/")[2])
        response: web.StreamResponse = await handler(request)
        return response


@pytest.fixture
def watched() -> Watched:
    return Watched(Options(models=("alpha.safetensors", "beta.safetensors"), seconds_per_step=0))


def asking(model: str) -> dict[str, Any]:
    return {"alwayson_scripts": {"sd_model_checkpoint": model}}
