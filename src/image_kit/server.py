"""The image kit as an HTTP server: ``python -m image_kit.server``, settings from the environment.

========================  ====================================================================================
``POST /ROUTE``           a request of ``contract.image_kit`` as JSON; ``X-Job-Id`` may name the job
``GET /health``           200 ``{"image_kit": version, "job", "progress"}`` once the models are loaded, else 503
``POST /interrupt``       ``{"job": id}`` stops that job, whose request ends with 409
========================  ====================================================================================
"""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pythonjsonlogger.json import JsonFormatter

from contract.errors import ContractError
from contract.image_kit import ROUTES
from contract.runtimes import TaskType
from image_kit import VERSION
from image_kit.errors import BadRequest, KitError
from image_kit.images import Limits
from image_kit.jobs import Jobs
from image_kit.links import Links, Reach
from image_kit.models import LoadedModels
from image_kit.operations import Models, answer
from image_kit.service import checked, image_of
from image_kit.settings import Settings, read_settings

JOB_HEADER = "X-Job-Id"
MAX_JOB_ID = 64

BODY_ROOM = 64 * 1024
"""Of a request, for all that is not its image."""

CLOSING_SECONDS = 2.0
"""How long requests may go on after SIGTERM: an agent sends them again elsewhere."""

EXIT_USAGE = 2

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)


class Server:
    """The routes over one set of models. ``ready`` is set once these are loaded."""

    def __init__(self, models: Models, limits: Limits, reach: Reach, region: str | None = None) -> None:
        self._models = models
        self._limits = limits
        self._links = Links(reach, region)
        self.ready = asyncio.Event()

    def app(self) -> web.Application:
        """The application; it closes what it opened."""
        base64_bytes = self._limits.max_bytes * 4 // 3
        app = web.Application(middlewares=[_errors], client_max_size=base64_bytes + BODY_ROOM)
        for route, operation in ROUTES.items():
            app.router.add_post(f"/{route}", partial(self._operate, operation))
        app.router.add_get("/health", self._health)
        app.router.add_post("/interrupt", self._interrupt)
        app.cleanup_ctx.append(self._lifetime)
        return app

    async def _lifetime(self, _: web.Application) -> AsyncIterator[None]:
        self._jobs = Jobs()
        async with self._links:
            yield
            self._jobs.close()

    async def _operate(self, operation: TaskType, request: web.Request) -> web.Response:
        if not self.ready.is_set():
            return _json({"message": "the models are being loaded", "type": "starting", "errors": []}, 503)
        wanted = checked(operation, await _body(request))
        data = await image_of(wanted, self._links, self._limits)
        job_id = request.headers.get(JOB_HEADER, "")[:MAX_JOB_ID] or None
        answered = await self._jobs.run(
            job_id, lambda watch: json.dumps(answer(self._models, wanted, data, self._limits, watch)).encode()
        )
        return web.Response(body=answered, content_type="application/json")

    async def _health(self, _: web.Request) -> web.Response:
        state = {"image_kit": VERSION, "job": self._jobs.current, "progress": self._jobs.progress}
        return _json(state, 200 if self.ready.is_set() else 503)

    async def _interrupt(self, request: web.Request) -> web.Response:
        body = await _body(request)
        job_id = body.get("job") if isinstance(body, dict) else None
        if not isinstance(job_id, str):
            raise BadRequest.of("job", "is required: the id of the job to stop")
        return _json({"stopped": self._jobs.stop(job_id)})


async def _body(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise BadRequest.of("", "must be JSON") from error


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except KitError as error:
        return _json(error.body, error.status)
    except web.HTTPException as error:
        return _json({"message": error.reason, "type": "http", "errors": []}, error.status)


def _json(body: Any, status: int = HTTPStatus.OK) -> web.Response:
    return web.json_response(body, status=status)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM; ready once the models are loaded. Raises OSError when they or the port cannot be had."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    models = LoadedModels(settings.weights, settings.threads)
    server = Server(models, settings.limits, settings.reach, settings.region)
    runner = web.AppRunner(server.app(), access_log=None, handler_cancellation=True, shutdown_timeout=CLOSING_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        port = runner.addresses[0][1]
        log.info("the image kit is at http://%s:%s", settings.host, port, extra={"action": "started"})
        await asyncio.to_thread(models.load)
        server.ready.set()
        log.info("the models are loaded", extra={"action": "ready"})
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> int:
    """Exit 0 after a signal, 2 when the settings are wrong."""
    try:
        settings = read_settings(os.environ)
    except ContractError as error:
        for problem in error.problems:
            print(f"{problem.field}: {problem.problem}", file=sys.stderr)  # noqa: T201 - there is no log yet
        return EXIT_USAGE
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(["levelname", "name", "message"], timestamp="time"))
    logging.basicConfig(level="INFO", handlers=[handler], force=True)
    asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
