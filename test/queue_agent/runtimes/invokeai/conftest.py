"""The InvokeAI adapter beside a simulated InvokeAI, or beside recorded answers of a real one."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from yarl import URL

from contract.runtimes import TaskType
from queue_agent.errors import AgentError
from queue_agent.runtimes.base import File, Job, Output, Result
from queue_agent.runtimes.invokeai import Adapter
from queue_agent.runtimes.session import runtime_session
from test.support.invokeai import graph_of
from test.support.runtimes import run_job
from utils.simulators.base import Options
from utils.simulators.invokeai import Disk, make_app

PATIENCE = 30.0
"""Seconds until a condition that must come is taken as not coming; generous, for a busy machine."""

RECORDINGS = {
    path.stem: json.loads(path.read_text())
    for path in (Path(__file__).parents[3] / "events" / "invokeai-6.14.2").glob("*.json")
}


class Server:
    """A server that the adapter talks to; ``stop`` closes it as a crash does, ``get`` looks past the adapter."""

    def __init__(self, server: TestServer, session: ClientSession) -> None:
        self._server = server
        self._session = session
        self._url = server.make_url("/")

    @property
    def url(self) -> URL:
        return self._url

    async def stop(self) -> None:
        await self._server.close()

    async def ask(self, method: str, path: str, **arguments: Any) -> tuple[int, Any]:
        """Status and JSON body."""
        async with self._session.request(method, self.url / path, **arguments) as response:
            return response.status, await response.json()


Serve: TypeAlias = Callable[..., Awaitable[Server]]
Simulate: TypeAlias = Callable[..., Awaitable[Server]]


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """A session as the agent makes it."""
    async with runtime_session() as session:
        yield session


@pytest.fixture
async def serve(session: ClientSession) -> AsyncIterator[Serve]:
    """Serve an application on a free port."""
    async with AsyncExitStack() as stack:

        async def serve(app: web.Application, port: int | None = None) -> Server:
            server = TestServer(app, port=port)
            await server.start_server()
            stack.push_async_callback(server.close)
            return Server(server, session)

        yield serve


@pytest.fixture
async def simulate(serve: Serve) -> Simulate:
    """Start a simulated InvokeAI with the given options, over the disk of one that was stopped or a new one."""

    async def simulate(port: int | None = None, disk: Disk | None = None, **options: Any) -> Server:
        return await serve(make_app(Options(**{"seconds_per_step": 0.0, **options}), disk), port)

    return simulate


Replay: TypeAlias = Callable[..., Awaitable[Adapter]]


@pytest.fixture
async def replay(serve: Serve, session: ClientSession) -> Replay:
    """The adapter beside a server that gives recorded answers: ``{"POST /path": (status, body)}``. Paths that are not
    named answer as a 404 of InvokeAI; a batch id of the adapter's own stands for the recorded one."""

    async def replay(answers: dict[str, tuple[int, Any]]) -> Adapter:
        async def answer(request: web.Request) -> web.Response:
            key = f"{request.method} {request.path}"
            if "/b/" in request.path:
                key = "GET batch"
            status, body = answers.get(key, (404, {"detail": "Not Found"}))
            return web.json_response(body, status=status)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        return Adapter((await serve(app)).url, session)

    return replay


def job(content: dict[str, Any], files: dict[tuple[str | int, ...], File] | None = None) -> Job:
    return Job(id="task-1", tasktype=TaskType.GRAPH, content=content, files=files or {})


async def read(output: Output) -> bytes:
    return b"".join([part async for part in output.read()])


def answer(result: Result) -> dict[str, Any]:
    """The answer with places ``s3://bucket/1.png``, …"""
    return result.answer([f"s3://bucket/{number}.png" for number in range(1, len(result.outputs) + 1)])


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():  # noqa: ASYNC110 - what changes lies behind HTTP
            await asyncio.sleep(0.02)


ENQUEUE = "POST /api/v1/queue/default/enqueue_batch"

ANY_GRAPH = {"graph": graph_of({"a": {"type": "blank_image"}})}


def recorded(name: str) -> tuple[int, Any]:
    return RECORDINGS[name]["status"], deepcopy(RECORDINGS[name]["body"])


async def cause_of(adapter: Adapter, content: dict[str, Any] | None = None) -> AgentError:
    with pytest.raises(AgentError) as caught:
        await run_job(adapter, job(ANY_GRAPH if content is None else content))
    return caught.value
