"""Probes and metrics on a port of their own.

``/healthz`` answers while the loop turns, ``/readyz`` with 200 while tasks would be taken, ``/runtime`` with 503 once
the runtime's container should be restarted, ``/health`` with all of that and its reasons, ``/metrics`` with what was
counted.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from contract.callback import Cause
from queue_agent.lifecycle.readiness import Readiness
from queue_agent.lifecycle.runtime_state import RuntimeState
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.outcome.delivery_health import DeliveryHealth
from queue_agent.telemetry.metrics import CONTENT_TYPE, Metrics


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes are answered from."""

    state: RuntimeState
    readiness: Readiness
    delivery: DeliveryHealth
    shutdown: Shutdown
    metrics: Metrics

    @property
    def ready(self) -> bool:
        """Whether a task would be taken now, or after the running one."""
        return self.state.taking.is_set() and self.delivery.ok.is_set() and not self.shutdown.requested.is_set()

    def report(self) -> dict[str, Any]:
        """``{"status", "runtime": {"phase", "reason", "needs_restart"}, "delivery": {"ok", "reason"}}``."""
        return {
            "status": "ready" if self.ready else "not ready",
            "runtime": {
                "phase": self.state.phase.value,
                "reason": _shown(self.state.reason),
                "needs_restart": self.readiness.needs_restart,
            },
            "delivery": {"ok": self.delivery.ok.is_set(), "reason": _shown(self.delivery.cause)},
        }


def _shown(cause: Cause | None) -> dict[str, str] | None:
    return cause.model_dump() if cause else None


@asynccontextmanager
async def serve_health(host: str, port: int, health: Health) -> AsyncIterator[int]:
    """Serve until the context ends; yields the port, which the system chose if ``port`` is 0. Raises OSError."""

    def answer(body: Any, *, ok: bool) -> web.Response:
        return web.json_response(body, status=HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE)

    async def healthz(_: web.Request) -> web.Response:
        return answer({"status": "ok"}, ok=True)

    async def readyz(_: web.Request) -> web.Response:
        return answer(health.report(), ok=health.ready)

    async def runtime(_: web.Request) -> web.Response:
        return answer(health.report()["runtime"], ok=not health.readiness.needs_restart)

    async def everything(_: web.Request) -> web.Response:
        return answer(health.report(), ok=True)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=health.metrics.text().encode(), headers={"Content-Type": CONTENT_TYPE})

    routes = {"/healthz": healthz, "/readyz": readyz, "/runtime": runtime, "/health": everything, "/metrics": metrics}
    app = web.Application()
    app.add_routes([web.get(path, handler) for path, handler in routes.items()])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
