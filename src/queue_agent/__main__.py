"""The agent's entry point: wiring, and nothing else. ``python -m queue_agent``, settings from the environment."""

import asyncio
import json
import logging
import os
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from yarl import URL

from contract.errors import ContractError
from queue_agent.app import assemble
from queue_agent.aws.clients import open_clients
from queue_agent.errors import AgentError
from queue_agent.inputs.fetcher import Fetcher, Limits
from queue_agent.lifecycle.health import serve_health
from queue_agent.lifecycle.shutdown import shutdown_on_signals
from queue_agent.runtimes import open_runtime
from queue_agent.settings import Settings, read_settings
from queue_agent.telemetry.logs import start_logging
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry

if TYPE_CHECKING:
    from queue_agent.lifecycle.pod_deletion_cost import DeletionCost

log = logging.getLogger("queue_agent")

EXIT_FAILED = 1
EXIT_USAGE = 2


def main() -> int:
    """Exit 0 after a stop, 1 when the runtime stayed away, 2 when the settings are wrong."""
    try:
        settings = read_settings(os.environ)
    except ContractError as error:
        for problem in error.problems:
            print(f"{problem.field}: {problem.problem}", file=sys.stderr)  # noqa: T201 - there is no log yet
        return EXIT_USAGE
    start_logging(settings.log_level, settings.runtime_name)
    try:
        asyncio.run(serve(settings))
    except AgentError as error:
        log.critical(error.message, extra={"action": "exit", "cause_type": error.type})
        return EXIT_FAILED
    return 0


async def serve(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. Raises AgentError when the runtime stays away."""
    async with AsyncExitStack() as stack:
        telemetry = _telemetry(settings)
        stack.push_async_callback(asyncio.to_thread, telemetry.close)
        stop = await stack.enter_async_context(shutdown_on_signals())
        clients = await stack.enter_async_context(open_clients(settings.region))
        session = await stack.enter_async_context(_runtime_session())
        runtime = await stack.enter_async_context(
            open_runtime(settings.runtime_type, settings.runtime_url, session, dynamic_model=settings.dynamic_model)
        )
        fetcher = await stack.enter_async_context(Fetcher(clients.s3, _link_limits(settings)))
        parts = assemble(
            settings,
            clients,
            runtime=runtime,
            fetcher=fetcher,
            telemetry=telemetry,
            stop=stop,
            cost=await _deletion_cost(settings, stack),
        )
        readiness = parts.readiness
        telemetry.metrics.gpu.ready = lambda: readiness.running or readiness.ready.is_set()
        await stack.enter_async_context(
            serve_health(
                settings.health_host,
                settings.health_port,
                ready=lambda: readiness.ready.is_set() and not stop.requested.is_set(),
                metrics=telemetry.metrics,
            )
        )
        log.info("started", extra={"action": "started", "runtime_type": settings.runtime_type.value})
        await parts.agent.run()


def _telemetry(settings: Settings) -> Telemetry:
    """The SDK is loaded only where there is somewhere to send to."""
    endpoint, traces, metrics = settings.otlp_endpoint, settings.traces_exporter, settings.metrics_exporter
    if endpoint is None or traces == metrics == "none":
        return Telemetry(Metrics(settings.runtime_name))
    from queue_agent.telemetry.otel import ExportingTelemetry  # noqa: PLC0415

    return ExportingTelemetry(endpoint, settings.runtime_name, traces=traces == "otlp", metrics=metrics == "otlp")


async def _deletion_cost(settings: Settings, stack: AsyncExitStack) -> "DeletionCost | None":
    if not (settings.pod_name and settings.pod_namespace):
        return None
    from queue_agent.lifecycle.pod_deletion_cost import DeletionCost, Pod  # noqa: PLC0415 - outside Kubernetes it is not even loaded

    pod = Pod(
        api=URL.build(scheme="https", host=settings.kubernetes_host, port=settings.kubernetes_port),
        namespace=settings.pod_namespace,
        name=settings.pod_name,
        account=settings.service_account,
    )
    return await stack.enter_async_context(DeletionCost(pod))


def _runtime_session() -> aiohttp.ClientSession:
    """Without kept connections, since one that the runtime closed meanwhile would cost a run; the task's own limit
    rules the time."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        timeout=aiohttp.ClientTimeout(total=None, connect=5),
        json_serialize_bytes=_json,
        trust_env=False,
    )


def _json(body: Any) -> bytes:
    """A body may hold megabytes of base64, and the GPU waits while it is written."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # integers beyond 64 bits
        return json.dumps(body).encode()


def _link_limits(settings: Settings) -> Limits:
    return Limits(
        max_bytes=settings.max_link_bytes,
        timeout=settings.link_timeout,
        names=settings.allowed_names,
        networks=settings.allowed_networks,
        buckets=frozenset(settings.input_buckets),
        output_bucket=settings.bucket,
        allow_loopback=settings.allow_loopback_links,
    )


if __name__ == "__main__":
    sys.exit(main())
