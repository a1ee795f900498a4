"""A WebUI whose GPU time is exact: it answers as the simulated one does, with a ready-made image after a set time.

It notes when its GPU was at work, which is what the benchmarks are about.
"""

import asyncio
import base64
import json
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

IMAGE_BYTES = 400_000
MODEL = {
    "title": "bench.safetensors",
    "model_name": "bench",
    "hash": None,
    "sha256": None,
    "filename": "/b",
    "config": None,
}


@dataclass
class Gpu:
    """One job at a time, ``seconds`` ± ``spread`` (a share) each. ``busy`` holds begin and end of every job."""

    seconds: float
    spread: float = 0.0
    busy: list[tuple[float, float]] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    rolls: random.Random = field(default_factory=lambda: random.Random(7))

    async def work(self) -> None:
        async with self.lock:
            begin = time.monotonic()
            await asyncio.sleep(self.seconds * (1 + self.rolls.uniform(-self.spread, self.spread)))
            self.busy.append((begin, time.monotonic()))

    def idle(self) -> list[float]:
        """Seconds between the end of one job and the begin of the next, in order."""
        return [begin - end for (_, end), (begin, _) in zip(self.busy, self.busy[1:], strict=False)]


@asynccontextmanager
async def webui(gpu: Gpu) -> AsyncIterator[str]:
    """Serve on loopback until the context ends; yields the URL."""
    noise = b"\x89PNG\r\n\x1a\n" + os.urandom(IMAGE_BYTES)
    info = {"sd_model_name": "bench", "sd_model_hash": None, "all_seeds": [1], "index_of_first_image": 0, "seed": 1}
    answer = json.dumps(
        {"images": [base64.b64encode(noise).decode()], "parameters": {}, "info": json.dumps(info)}
    ).encode()

    async def generate(request: web.Request) -> web.Response:
        await request.read()
        await gpu.work()
        return web.Response(body=answer, content_type="application/json")

    async def progress(_: web.Request) -> web.Response:
        state = {"job_count": int(gpu.lock.locked()), "interrupted": False}
        return web.json_response({"progress": 0.0, "eta_relative": 0.0, "state": state, "current_image": None})

    async def options(_: web.Request) -> web.Response:
        return web.json_response({"sd_model_checkpoint": MODEL["title"]})

    async def models(_: web.Request) -> web.Response:
        return web.json_response([MODEL])

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes(
        [
            web.post("/sdapi/v1/txt2img", generate),
            web.post("/sdapi/v1/img2img", generate),
            web.get("/sdapi/v1/progress", progress),
            web.get("/sdapi/v1/options", options),
            web.get("/sdapi/v1/sd-models", models),
        ]
    )
    async with serving(app) as url:
        yield url


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """The app on a free loopback port."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
