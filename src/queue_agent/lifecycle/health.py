"""Probes and metrics on a port of their own: ``/healthz`` answers while the loop turns, ``/readyz`` while tasks would
be taken, ``/metrics`` with what was counted."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from queue_agent.telemetry.metrics import CONTENT_TYPE, Metrics


@asynccontextmanager
async def serve_health(host: str, port: int, *, ready: Callable[[], bool], metrics: Metrics) -> AsyncIterator[int]:
    """Serve until the context ends; yields the port, which the system chose if ``port`` is 0. Raises OSError."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        if ready():
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "not ready"}, status=503)

    async def counted(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text().encode(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", counted)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
