"""The processes of the platform: the command line and the environment of each."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

from infra import console
from infra.api_routes import Function
from infra.config.api import Auth
from infra.topology import Route, Topology
from utils.local.cloud import Cloud
from utils.local.ports import LOOPBACK
from utils.local.supervisor import Service
from utils.local.usage import ApiKey

ROOT = Path(__file__).parents[2]

AGENT_GRACE = "0"
"""Seconds that a running task may go on when the platform stops. Its queue and its callback end with the platform."""

AGENT_STOP_SECONDS = 30.0
"""For an agent to interrupt its runtime and release the message. An adapter waits up to 15 s for a runtime to leave a
sampling step, which takes that long on a real runtime without a GPU; the rest is margin."""

OTHER_MODELS = ("sd_xl_base_1.0.safetensors", "sd_xl_turbo_1.0_fp16.safetensors")
"""What a simulated runtime with dynamicModel can switch to, in addition to its own model."""

DEFAULT_MODEL = "v1-5-pruned-emaonly.safetensors"


LOOPBACK_WEBHOOKS: Mapping[str, str] = MappingProxyType({"LOOPBACK_WEBHOOKS": "true"})
"""Receivers of webhooks may be on this machine, where users' own programs are, and without TLS."""


def telemetry(endpoint: str | None) -> dict[str, str]:
    """The variables of a process that can trace. Spans are sent soon, since somebody may be watching."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "500"} if endpoint else {}


def aws_service(socket: int) -> Service:
    """The embedded AWS on a listening socket. All queues are lost with it, so it is never restarted."""
    return Service("aws", "utils.local.aws_server", (str(socket),), environment(), restarts=0, sockets=(socket,))


def gateway_service(
    topology: Topology,
    cloud: Cloud,
    keys: Mapping[str, ApiKey],
    socket: int,
    *,
    telemetry: Mapping[str, str],
    functions: Mapping[Function, str],
) -> Service:
    """The front door on a listening socket: the gateway with the Lambda handler behind it. ``keys`` by client;
    ``functions``: the URLs of those that answer routes in processes of their own."""
    (route, *_), api = topology.routes, topology.api
    own = topology.frontend_environment(
        input_topic_arn=cloud.input_topic_arn,
        output_bucket=cloud.output_bucket,
        queue_url_prefix=cloud.queues[route.queue.name].url.removesuffix(route.name),
        key_ids={name: key.id for name, key in keys.items()},
    )
    routes = [(route.method, route.path) for route in api.routes]
    gateway = {
        "stage": api.stage,
        "routes": routes,
        "keyless": [route.path for route in api.routes if not route.key and api.auth is not Auth.AWS_IAM],
        "keys": [asdict(key) for key in keys.values()],
        "signatures": cloud.access.signing() if api.auth is Auth.AWS_IAM else None,
        "open_to_all": api.auth is Auth.NONE,
        "functions": {route.path: functions[route.function] for route in api.routes if route.function in functions},
    }
    local = {**LOOPBACK_WEBHOOKS, "CONSOLE_PAGE": str(console.page()), "GATEWAY": json.dumps(gateway)}
    more = {**cloud.access.environment(), **own, **telemetry, **local}
    return Service("gateway", "utils.local.gateway_server", (str(socket),), environment(more), sockets=(socket,))


def function_service(topology: Topology, cloud: Cloud, socket: int, weights: Path) -> Service:
    """The image kit's function on a listening socket, with its real models. Links may lead to loopback, where users'
    files are."""
    plan = topology.sync.image_kit_function
    assert plan, "the config has such a function"
    own = plan.environment(results_bucket=cloud.output_bucket)
    local = {
        "WEIGHTS_DIR": str(weights),
        "ALLOWED_LINK_HOSTS": ",".join(topology.allowed_link_hosts),
        "ALLOW_LOOPBACK_LINKS": "true",
    }
    return Service(
        "image-kit",
        "utils.local.function_server",
        (str(socket), "image_kit.handler.handle"),
        environment({**cloud.access.environment(), **own, **local}),
        sockets=(socket,),
    )


def webhook_service(topology: Topology, cloud: Cloud, api_url: str) -> Service:
    """What sends webhooks. ``api_url`` ends in the stage and a slash."""
    webhooks = topology.webhooks
    own = webhooks.environment(
        queue_url=cloud.queues[webhooks.queue.name].url,
        dead_letter_url=cloud.queues[webhooks.dead_letters.name].url,
        output_bucket=cloud.output_bucket,
        api_url=api_url,
    )
    more = {**cloud.access.environment(), **topology.task_table_environment(), **own, **LOOPBACK_WEBHOOKS}
    return Service("webhooks", "utils.local.webhook_sender", environment=environment(more))


def runtime_service(route: Route, number: int, port: int, seconds_per_step: float) -> Service:
    """A simulated runtime of the route's type."""
    name = f"runtime-{route.name}-{number}"
    models = (route.model or DEFAULT_MODEL, *(OTHER_MODELS if route.dynamic_model else ()))
    arguments = (
        route.type.value,
        *("--port", str(port)),
        *("--name", f"{route.name}-{number}"),
        *("--seconds-per-step", str(seconds_per_step)),
        *(argument for model in models for argument in ("--model", model)),
    )
    return Service(name, "utils.simulators", arguments, environment())


def image_kit_service(route: Route, number: int, port: int, weights: Path) -> Service:
    """The image kit itself, with its models: it needs no GPU, so nothing is simulated."""
    own = {"PORT": str(port), "HOST": LOOPBACK, "WEIGHTS_DIR": str(weights)}
    return Service(
        f"runtime-{route.name}-{number}",
        "image_kit.server",
        environment=environment(own),
        stop_seconds=AGENT_STOP_SECONDS,
    )


def agent_service(
    topology: Topology,
    cloud: Cloud,
    route: Route,
    number: int,
    *,
    api_base_url: str,
    health_port: int,
    state_dir: Path,
    telemetry: Mapping[str, str],
) -> Service:
    """The queue agent of one runtime. Links may lead to servers on loopback, where users' files are."""
    deployed = topology.agent_environment(
        route,
        region=cloud.access.region,
        queue_url=cloud.queues[route.queue.name].url,
        dead_letter_queue_url=cloud.queues[route.dead_letters.name].url,
        output_topic_arn=cloud.output_topic_arn,
        output_bucket=cloud.output_bucket,
        webhooks_queue_url=cloud.queues[topology.webhooks.queue.name].url,
        api_base_url=api_base_url,
    )
    local = {
        "HEALTH_HOST": LOOPBACK,
        "HEALTH_PORT": str(health_port),
        "ALLOW_LOOPBACK_LINKS": "true",
        "SHUTDOWN_GRACE": AGENT_GRACE,
        "STATE_DIR": str(state_dir),
        **telemetry,
    }
    return Service(
        f"agent-{route.name}-{number}",
        "queue_agent",
        environment={**environment(cloud.access.environment()), **deployed, **local},
        stop_seconds=AGENT_STOP_SECONDS,
    )


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process: our modules, a temporary folder, ``more``, and none of the user's variables."""
    return {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "TMPDIR": tempfile.gettempdir(),
        **(more or {}),
    }
