"""A WebUI that can be killed, or is broken in one of the ways in which runtimes are."""

import asyncio
import base64
import json
from dataclasses import dataclass
from enum import Enum

from aiohttp import web

from test.bench.stage import free_port
from test.support.world import PNG

MAX_BODY_BYTES = 16 * 1024 * 1024

KILL_SECONDS = 0.01
"""How long a killed runtime's handlers may go on. aiohttp takes 0 for no limit."""


class Behaviour(Enum):
    """What a generation comes to. Every other route answers as if all was well."""

    HEALTHY = "healthy"
    CUDA_ERROR = "500 as JSON"
    PLAIN_ERROR = "500 as plain text"
    BROKEN_JSON = "broken JSON"
    UNDECODABLE = "images that are no base64"
    HUNG = "no end, and no interrupt"


@dataclass(slots=True)
class Run:
    """One generation on the GPU, in loop time. ``ended`` is None while it runs. ``task`` is the request's prompt."""

    task: str
    began: float
    ended: float | None = None


class Runtime:
    """One GPU behind the WebUI's routes. When it is killed its connections break, its job is gone, and its port refuses
    until it is started again."""

    def __init__(self, seconds: float, behaviour: Behaviour = Behaviour.HEALTHY) -> None:
        self.port = free_port()
        self.requests = 0
        self.log: list[Run] = []
        self._seconds = seconds
        self._behaviour = behaviour
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def runs(self) -> int:
        return len(self.log)

    @property
    def busy_seconds(self) -> float:
        """Of the GPU, up to now."""
        now = asyncio.get_running_loop().time()
        return sum((run.ended or now) - run.began for run in self.log)

    async def start(self) -> None:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.add_routes(
            [
                web.post("/sdapi/v1/txt2img", self._generate),
                web.post("/sdapi/v1/img2img", self._generate),
                web.post("/sdapi/v1/interrupt", self._interrupt),
                web.get("/sdapi/v1/progress", self._progress),
                web.get("/sdapi/v1/options", self._options),
                web.get("/sdapi/v1/sd-models", self._models),
            ]
        )
        self._stop = asyncio.Event()
        self._gpu = asyncio.Lock()
        self._running: Run | None = None
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=KILL_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def kill(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _generate(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests += 1
        match self._behaviour:
            case Behaviour.CUDA_ERROR:
                error = {
                    "error": "RuntimeError",
                    "detail": "",
                    "body": "",
                    "errors": "CUDA error: an illegal memory access was encountered",
                }
                return web.json_response(error, status=500)
            case Behaviour.PLAIN_ERROR:
                return web.Response(status=500, text="Internal Server Error")
            case Behaviour.BROKEN_JSON:
                return web.Response(body=b'{"images": ["iVBOR', content_type="application/json")
        async with self._gpu:
            await self._work(body["prompt"])
        info = json.dumps({"sd_model_name": "m", "all_seeds": [1], "index_of_first_image": 0, "seed": 1})
        image = base64.b64encode(PNG).decode() if self._behaviour is Behaviour.HEALTHY else "%% no base64 %%"
        return web.json_response({"images": [image], "parameters": {}, "info": info})

    async def _work(self, task: str) -> None:
        loop = asyncio.get_running_loop()
        self._running = Run(task, loop.time())
        self.log.append(self._running)
        self._stop.clear()
        try:
            if self._behaviour is Behaviour.HUNG:
                await asyncio.Event().wait()
            await asyncio.wait_for(self._stop.wait(), self._seconds)
        except TimeoutError:
            pass
        finally:
            self._running.ended = loop.time()
            self._running = None

    async def _interrupt(self, _: web.Request) -> web.Response:
        self._stop.set()
        return web.json_response({})

    async def _progress(self, _: web.Request) -> web.Response:
        run, done = self._running, 0.0
        if run is not None and self._behaviour is not Behaviour.HUNG:
            done = min(0.99, (asyncio.get_running_loop().time() - run.began) / self._seconds)
        state = {
            "job_count": int(run is not None),
            "interrupted": self._stop.is_set(),
            "job_timestamp": f"{run.began:.6f}" if run else "0",
        }
        return web.json_response({"progress": done, "eta_relative": 0.0, "state": state, "current_image": None})

    async def _options(self, _: web.Request) -> web.Response:
        return web.json_response({"sd_model_checkpoint": "m"})

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response([{"title": "m", "model_name": "m", "hash": None, "filename": "/m"}])
