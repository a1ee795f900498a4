"""The whole platform on one machine: started in order, watched, and stopped in order."""

import asyncio
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout

from contract.runtimes import RuntimeType
from infra.api_routes import Function
from infra.topology import Route, Topology
from queue_agent.aws.clients import Clients
from utils.local import image_kit, running, services
from utils.local.cloud import Access, Cloud, apply
from utils.local.ports import Reservation, address, listen
from utils.local.running import Addresses
from utils.local.supervisor import Service, Supervisor
from utils.local.usage import ApiKey

DEFAULT_PORT = 8000

KEY_BYTES, KEY_ID_BYTES = 20, 5
"""40 characters and 10, as many as an API key of API Gateway and its id have."""

READY_SECONDS = 60.0
"""How long the agents may take until their runtimes are ready, before the platform serves without them."""

READY_PATH, METRICS_PATH = "/readyz", "/metrics"
"""Of an agent's health port."""

KEPT_LOGS = 10
"""Runs whose logs are kept."""


class CannotStart(Exception):
    """The platform cannot start as it was asked to; the text says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start. ``port`` None: DEFAULT_PORT, or any when that is taken; 0: any.

    ``runtime_urls`` are base URLs of real runtimes by the name of their route, each served by one agent; the other
    routes get ``replicas`` simulated runtimes with an agent each, or image kits, which are not simulated. Traces go to
    ``trace_file``, or with the metrics to ``otlp_endpoint``, or nowhere.
    """

    topology: Topology
    output: Path
    port: int | None = None
    replicas: int = 1
    seconds_per_step: float = 0.02
    runtime_urls: Mapping[str, str] = field(default_factory=dict)
    trace_file: Path | None = None
    otlp_endpoint: str | None = None

    @property
    def has_image_kit(self) -> bool:
        """Whether an image kit is started."""
        routes = self.topology.routes
        return bool(self.topology.sync.image_kit_function) or any(
            one.type is RuntimeType.IMAGEKIT and one.name not in self.runtime_urls for one in routes
        )


class Platform:
    """A platform that serves. ``clients`` reach its embedded AWS."""

    def __init__(
        self, supervisor: Supervisor, addresses: Addresses, clients: Clients, health: Mapping[str, str]
    ) -> None:
        self.addresses = addresses
        self.clients = clients
        self.watch = supervisor.watch
        self.health = health
        """The URL of each agent's readiness probe, by the agent's name."""

    async def not_ready(self, seconds: float = READY_SECONDS) -> list[str]:
        """Wait until every agent's runtime is ready. Returns the agents whose runtimes are not, after ``seconds``."""
        late = set(self.health)

        async def wait(session: ClientSession, name: str) -> None:
            await _until_ready(session, self.health[name])
            late.discard(name)

        with suppress(TimeoutError):
            async with (
                asyncio.timeout(seconds),
                ClientSession(timeout=ClientTimeout(total=5)) as session,
                asyncio.TaskGroup() as group,
            ):
                for name in self.health:
                    group.create_task(wait(session, name))
        return sorted(late)


@asynccontextmanager
async def start(plan: Plan, report: Callable[[str], None]) -> AsyncIterator[Platform]:
    """Start everything, and stop everything on exit. ``report`` gets a line for each event in the life of a
    process.

    Raises CannotStart, and ServiceFailed when a process does not start.
    """
    async with AsyncExitStack() as stack:
        gateway_socket = _gateway_socket(plan.port, report)
        stack.callback(gateway_socket.close)
        logs = _logs(_claim(plan.output, stack))
        telemetry = services.telemetry(await _collector(plan, stack))
        supervisor = await stack.enter_async_context(Supervisor(logs, report))

        with listen() as aws:
            access = Access(address(aws))
            await supervisor.start(services.aws_service(aws.fileno()))
        clients = await stack.enter_async_context(access.clients())
        cloud = await supervisor.watch(apply(plan.topology, access, clients))

        keys = _api_keys(plan.topology)
        functions = await _start_functions(plan.topology, cloud, supervisor, stack)
        gateway = services.gateway_service(
            plan.topology, cloud, keys, gateway_socket.fileno(), telemetry=telemetry, functions=functions
        )
        await supervisor.start(gateway)
        endpoint = f"{address(gateway_socket)}/{plan.topology.api.stage}/"
        await supervisor.start(services.webhook_service(plan.topology, cloud, endpoint))
        health = await _start_runtimes(plan, cloud, supervisor, stack, telemetry)
        # Agents stop while their runtimes still run, so that they can interrupt them; then the rest stops.
        stack.push_async_callback(supervisor.stop, gateway.name, *health)
        stack.callback(gateway_socket.close)
        keyed = plan.topology.api.keyed
        addresses = Addresses(
            endpoint=endpoint,
            auth=plan.topology.api.auth.value,
            api_key=next(iter(keys.values())).value if keyed else "",
            api_keys={name: key.value for name, key in keys.items()} if keyed else {},
            bucket=cloud.output_bucket,
            topic_arn=cloud.output_topic_arn,
            aws_endpoint_url=access.endpoint_url,
            region=access.region,
            logs=str(logs),
            agents={name: url.replace(READY_PATH, METRICS_PATH) for name, url in health.items()},
            queues={route.name: cloud.queues[route.queue.name].url for route in plan.topology.routes},
            pid=os.getpid(),
        )
        running.write(plan.output, addresses)
        yield Platform(supervisor, addresses, clients, health)


def _api_keys(topology: Topology) -> dict[str, ApiKey]:
    """New ones, by the name of the client."""
    return {
        plan.client: ApiKey(
            id=secrets.token_hex(KEY_ID_BYTES),
            value=secrets.token_hex(KEY_BYTES),
            rate=plan.rate_limit,
            burst=plan.burst_limit,
            daily_quota=plan.daily_quota,
        )
        for plan in topology.api.plans
    }


async def _start_functions(
    topology: Topology, cloud: Cloud, supervisor: Supervisor, stack: AsyncExitStack
) -> dict[Function, str]:
    """Start the functions that answer routes themselves. Returns their URLs."""
    if topology.sync.image_kit_function is None:
        return {}
    listening = stack.enter_context(listen())  # a function that is restarted needs it again
    await supervisor.start(services.function_service(topology, cloud, listening.fileno(), image_kit.WEIGHTS))
    return {Function.IMAGE_KIT: address(listening)}


async def _collector(plan: Plan, stack: AsyncExitStack) -> str | None:
    if plan.trace_file is None:
        return plan.otlp_endpoint
    from utils.local.trace_file import writing  # noqa: PLC0415 - protobuf is only loaded for those who want traces

    try:
        return await stack.enter_async_context(writing(plan.trace_file))
    except OSError as error:
        raise CannotStart(f"cannot write to {plan.trace_file}: {error.strerror}; give another --trace-file") from error


async def _start_runtimes(
    plan: Plan, cloud: Cloud, supervisor: Supervisor, stack: AsyncExitStack, telemetry: Mapping[str, str]
) -> dict[str, str]:
    """Start runtimes and agents. Returns the URL of each agent's readiness probe, by its name."""
    health: dict[str, str] = {}
    state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sd-on-eks-")))
    for route in plan.topology.routes:
        attached = plan.runtime_urls.get(route.name)
        for number in range(1, 2 if attached else plan.replicas + 1):
            url = attached
            if url is None:
                port = stack.enter_context(Reservation())
                await supervisor.start(_runtime(plan, route, number, port.port))
                url = port.url
            probe = stack.enter_context(Reservation())
            agent = services.agent_service(
                plan.topology,
                cloud,
                route,
                number,
                api_base_url=url,
                health_port=probe.port,
                state_dir=state / f"{route.name}-{number}",
                telemetry=telemetry,
            )
            await supervisor.start(agent)
            health[agent.name] = f"{probe.url}{READY_PATH}"
    return health


def _runtime(plan: Plan, route: Route, number: int, port: int) -> Service:
    if route.type is RuntimeType.IMAGEKIT:
        return services.image_kit_service(route, number, port, image_kit.WEIGHTS)
    return services.runtime_service(route, number, port, plan.seconds_per_step)


async def _until_ready(session: ClientSession, url: str) -> None:
    while True:
        try:
            async with session.get(url) as answer:
                if answer.ok:
                    return
        except (ClientError, TimeoutError):
            pass
        await asyncio.sleep(0.1)


def _gateway_socket(port: int | None, report: Callable[[str], None]) -> socket.socket:
    try:
        return listen(DEFAULT_PORT if port is None else port)
    except OSError as error:
        if port is not None:
            text = f"port {port} cannot be used: {os.strerror(error.errno or 0)}; give another --port, or 0 for any"
            raise CannotStart(text) from error
    free = listen()
    report(f"port {DEFAULT_PORT} is taken; the API is at {address(free)}")
    return free


def _claim(output: Path, stack: AsyncExitStack) -> Path:
    """Own the output folder. Returns the folder of the platform's own files in it."""
    try:
        return stack.enter_context(running.claim(output))
    except running.AlreadyRunning as error:
        raise CannotStart(f"{error}; stop it, or give another --output") from error
    except OSError as error:
        folder = running.file_of(output).parent
        raise CannotStart(f"cannot write to {folder}: {error.strerror}; give another --output") from error


def _logs(folder: Path) -> Path:
    runs = folder / "logs"
    logs = runs / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    logs.mkdir(parents=True)
    for old in sorted(runs.iterdir())[:-KEPT_LOGS]:
        shutil.rmtree(old, ignore_errors=True)
    return logs
