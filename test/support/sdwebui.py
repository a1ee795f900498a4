"""A simulated SD WebUI in the test's own process, and a small client of its routes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web

from utils.simulators.base import Options
from utils.simulators.sdwebui import make_app

PATIENCE = 20.0


class Client:
    """JSON calls below ``/sdapi/v1``; each gives status and body."""

    def __init__(self, session: ClientSession, base: str) -> None:
        self.session = session
        self.base = base

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(f"{self.base}/sdapi/v1/{path}") as response:
            return response.status, await response.json()

    async def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.post(f"{self.base}/sdapi/v1/{path}", json=body) as response:
            return response.status, await response.json()

    async def ok(self, path: str, body: Any = None) -> Any:
        """The body of an answer that must be 200."""
        status, answer = await self.post(path, body)
        assert status == 200, answer
        return answer

    async def state(self) -> dict[str, Any]:
        _, answer = await self.get("progress?skip_current_image=true")
        return dict(answer["state"])

    async def busy(self) -> None:
        """Wait until a job has begun and taken a step."""
        await self.eventually(lambda state: state["job_count"] != 0 and state["sampling_step"] > 0)

    async def eventually(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the state of /progress fulfils the condition."""
        async with asyncio.timeout(PATIENCE):
            while not holds(await self.state()):  # noqa: ASYNC110 - the condition is the server's to fulfil
                await asyncio.sleep(0.01)


def scripted(answers: dict[str, Any], on_options: Callable[[Any], None] = lambda _: None) -> web.Application:
    """A WebUI with two models, the first one loaded, that answers as given, always 200: route → body, or a function
    that gives one. ``on_options`` gets the options that are posted."""
    usual: dict[str, Any] = {
        "sd-models": [{"title": f"{name}.safetensors", "model_name": name} for name in ("alpha", "beta")],
        "options": {"sd_model_checkpoint": "alpha.safetensors"},
        "progress": {"progress": 0, "state": {"job_count": 0}},
        "txt2img": {"images": ["aW1hZ2U="], "parameters": {}, "info": json.dumps({"sd_model_name": "alpha"})},
    }

    async def answer(request: web.Request) -> web.Response:
        route = request.match_info["route"]
        if request.method == "POST" and route == "options":
            on_options(await request.json())
            return web.json_response(None)
        body = (usual | answers)[route]
        return web.json_response(body() if callable(body) else body)

    app = web.Application()
    app.router.add_route("*", "/sdapi/v1/{route}", answer)
    return app


@asynccontextmanager
async def serve_simulator(options: Options) -> AsyncIterator[Client]:
    """Serve a simulated WebUI on a free port."""
    async with serve(make_app(options)) as client:
        yield client


@asynccontextmanager
async def serve(app: web.Application) -> AsyncIterator[Client]:
    """Serve any application on a free port; as in a real server, a client that leaves does not end its request."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with ClientSession() as session:
            yield Client(session, f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()
