"""A simulated image kit: the real server with models that only draw, at the speed that is asked for."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from aiohttp import web
from PIL import Image, ImageDraw

from image_kit.images import Limits
from image_kit.links import Reach
from image_kit.operations import Line
from image_kit.server import Server
from image_kit.watch import Watch
from utils.simulators.base import Options

STEP_PIXELS = 4096
"""Pixels of an enlarged image that take one step."""


class SimulatedModels:
    """Fulfils ``image_kit.operations.Models``: interpolates, finds an oval person, and reads one line."""

    def __init__(self, seconds_per_step: float) -> None:
        self._seconds_per_step = seconds_per_step

    def enlarge(self, image: Image.Image, scale: int, watch: Watch) -> Image.Image:
        size = (image.width * scale, image.height * scale)
        steps = -(-size[0] * size[1] // STEP_PIXELS)
        for step in range(steps):
            watch.step(step / steps)
            time.sleep(self._seconds_per_step)
        return image.resize(size, Image.Resampling.LANCZOS)

    def find_people(self, image: Image.Image, watch: Watch) -> Image.Image:
        self._step(watch)
        alpha = Image.new("L", image.size)
        ImageDraw.Draw(alpha).ellipse([0, 0, image.width - 1, image.height - 1], fill=255)
        return alpha

    def read_text(self, image: Image.Image, watch: Watch) -> Sequence[Line]:
        self._step(watch)
        return [Line(words="simulated", top=0, left=0, width=image.width, height=image.height, score=1.0)]

    def _step(self, watch: Watch) -> None:
        watch.step(0.0)
        time.sleep(self._seconds_per_step)


def make_app(options: Options) -> web.Application:
    """The server, ready after ``startup_seconds``."""
    server = Server(SimulatedModels(options.seconds_per_step), Limits(), Reach(max_bytes=Limits().max_bytes))
    app = server.app()
    app.router.add_get("/", _page)

    async def start(_: web.Application) -> AsyncIterator[None]:
        async def be_ready() -> None:
            await asyncio.sleep(options.startup_seconds)
            server.ready.set()

        if options.startup_seconds:
            starting = asyncio.create_task(be_ready())
            yield
            starting.cancel()
        else:
            server.ready.set()
            yield

    app.cleanup_ctx.append(start)
    return app


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="a simulated image kit: it interpolates, and recognises nothing")
