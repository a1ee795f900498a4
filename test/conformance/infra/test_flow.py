"""A task flows through what the template makes.

CloudFormation (moto's) creates the stack's part without a cluster; the front door runs with the environment that the
template gives its function; the agent runs with the environment that the chart, rendered by helm with the values that
the template gives its release, gives its container.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml

from contract.callback import Callback, Status
from frontend_lambda.handler import make_handler
from frontend_lambda.settings import read
from infra.api_routes import API_ROUTES
from infra.config.model import parse_config
from infra.topology import topology_of
from test.charts.chart import CHART, KUBERNETES, Rendered, env, run_helm
from test.infra.configs import EVERYTHING, REGIONS
from test.infra.embedded_stack import UNKNOWN_TO_MOTO, EmbeddedStack, create
from test.infra.synthesis import Synthesis, template_in
from utils.local import cloud
from utils.local.ports import LOOPBACK, Reservation, listen
from utils.local.services import aws_service, environment, runtime_service
from utils.local.supervisor import Service, Supervisor
from utils.smoke.callbacks import Listener, listening

RUNTIME = "sdruntime"
PATIENCE = 90
"""Seconds until a callback that must come is taken as not coming; generous, for a busy machine."""

CONTENT = {"prompt": "a dog", "steps": 2, "width": 64, "height": 64}

TASK = {
    "task": {
        "metadata": {"id": "t1", "runtime": RUNTIME, "tasktype": "text-to-image", "prefix": "out", "context": {"n": 1}},
        "content": CONTENT,
    }
}


@dataclass(frozen=True, slots=True)
class World:
    """The created stack with an agent at work."""

    stack: EmbeddedStack
    agent: Mapping[str, str]
    listener: Listener
    supervisor: Supervisor

    def post(self, path: str, body: Any) -> dict[str, Any]:
        """What the front door answers, with the environment that its created function has."""
        access = self.stack.access
        session = boto3.Session("x", "x", region_name=access.region)
        functions = session.client("lambda", endpoint_url=access.endpoint_url).list_functions()["Functions"]
        (variables,) = [one["Environment"]["Variables"] for one in functions if "FrontDoor" in one["FunctionName"]]
        handler = make_handler(read({**variables, "AWS_ENDPOINT_URL": access.endpoint_url}), session)
        return handler({"resource": path, "httpMethod": "POST", "body": json.dumps(body)}, None)

    async def callback(self) -> Callback:
        """The next callback. Raises ServiceFailed, with its last words, when the runtime or the agent died."""
        async with asyncio.timeout(PATIENCE):
            return await self.supervisor.watch(self._next())

    async def _next(self) -> Callback:
        while True:
            for callback in await self.listener.receive(1):
                return callback


@asynccontextmanager
async def a_world(template: Mapping[str, Any], logs: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as exits:
        supervisor = await exits.enter_async_context(Supervisor(logs, print))
        with listen() as socket:
            access = cloud.Access(f"http://{LOOPBACK}:{socket.getsockname()[1]}", REGIONS["everything"])
            await supervisor.start(aws_service(socket.fileno()))
        stack = await asyncio.to_thread(create, template, access)
        (route, *_) = topology_of(parse_config(EVERYTHING)).routes
        port, health = exits.enter_context(Reservation()), exits.enter_context(Reservation())
        await supervisor.start(runtime_service(route, 1, port.port, 0.001))
        agent = await asyncio.to_thread(agent_environment, stack)
        here = {
            **access.environment(),
            "API_BASE_URL": port.url,
            "HEALTH_HOST": LOOPBACK,
            "HEALTH_PORT": str(health.port),
        }
        await supervisor.start(
            Service("agent", "queue_agent", environment={**environment(), **agent, **here}, restarts=0)
        )
        clients = await exits.enter_async_context(access.clients())
        listener = await exits.enter_async_context(listening(clients, stack.outputs["sdNotificationOutputArn"]))
        yield World(stack, agent, listener, supervisor)


def agent_environment(stack: EmbeddedStack) -> dict[str, str]:
    """What the agent's container gets from the release of RUNTIME."""
    (chart,) = [
        properties
        for properties in stack.template["Resources"].values()
        if properties["Type"] == "Custom::AWSCDK-EKS-HelmChart" and properties["Properties"]["Release"] == RUNTIME
    ]
    values = stack.resolve(chart["Properties"]["Values"])
    text = run_helm("template", RUNTIME, str(CHART), "--kube-version", KUBERNETES, "-f", "-", stdin=values)
    return env(Rendered([one for one in yaml.safe_load_all(text) if one]).agent)


def methods(stack: EmbeddedStack) -> dict[str, set[tuple[str, bool]]]:
    """The methods of the created API by path, all of which call the front door's function, and whether each needs a
    key."""
    session = boto3.Session("x", "x", region_name=stack.access.region)
    client = session.client("apigateway", endpoint_url=stack.access.endpoint_url)
    (api,) = client.get_rest_apis()["items"]
    found: dict[str, set[tuple[str, bool]]] = {}
    for resource in client.get_resources(restApiId=api["id"])["items"]:
        made = found.setdefault(resource["path"], set())
        for method, settings in resource.get("resourceMethods", {}).items():
            assert "FrontDoorHandlerFunction" in settings["methodIntegration"]["uri"]
            made.add((method, settings["apiKeyRequired"]))
    return found


def expected_methods() -> dict[str, set[tuple[str, bool]]]:
    """By path: the API's routes, and any other path, which the function answers."""
    expected = {"/{proxy+}": {("GET", True), ("POST", True)}}
    for route in API_ROUTES:
        expected.setdefault(route.path, set()).add((route.method, route.key))
    return expected


async def test_a_task_flows_through_the_created_resources(tmp_path: Path, synthesise: Synthesis) -> None:
    # Given
    name = "everything"
    assembly = await asyncio.to_thread(synthesise, name, EVERYTHING, region=REGIONS[name])

    async with a_world(template_in(assembly), tmp_path) as world:
        assert world.stack.missing == UNKNOWN_TO_MOTO

        served = await asyncio.to_thread(methods, world.stack)
        assert {path: kinds for path, kinds in served.items() if kinds} == expected_methods()

        # When by name
        answer = await asyncio.to_thread(world.post, "/v1alpha2", TASK)
        callback = await world.callback()

        # Then
        bucket = world.stack.outputs["OutputS3Bucket"]
        assert answer["statusCode"] == 200, answer
        assert json.loads(answer["body"])["output_location"] == f"s3://{bucket}/out/t1"
        assert (callback.id, callback.status, callback.runtime) == ("t1", Status.COMPLETED, RUNTIME)
        assert callback.context == {"n": 1}
        (place,) = callback.image_url
        image = await world.listener.clients.s3.get_object(Bucket=bucket, Key=place.removeprefix(f"s3://{bucket}/"))
        async with image["Body"] as body:
            assert (await body.read()).startswith(b"\x89PNG")

        # When by the model that the runtime loads
        old = {
            "alwayson_scripts": {
                "task": "text-to-image",
                "sd_model_checkpoint": EVERYTHING["modelsRuntime"][0]["modelFilename"],
                "id_task": "t2",
            },
            **CONTENT,
        }
        answer = await asyncio.to_thread(world.post, "/v1alpha1", old)
        callback = await world.callback()

        # Then
        assert answer["statusCode"] == 200, answer
        assert (callback.id, callback.status) == ("t2", Status.COMPLETED)


async def test_the_chart_tells_an_agent_what_the_topology_says(tmp_path: Path, synthesise: Synthesis) -> None:
    # Given
    name = "everything"
    assembly = await asyncio.to_thread(synthesise, name, EVERYTHING, region=REGIONS[name])
    topology = topology_of(parse_config(EVERYTHING))
    async with a_world(template_in(assembly), tmp_path) as world:
        ids = world.stack.ids

        # When
        expected = topology.agent_environment(
            topology.routes[0],
            region=REGIONS[name],
            queue_url=_id(ids, "RoutingsdruntimeQueue"),
            dead_letter_queue_url=_id(ids, "RoutingsdruntimeDeadLetters"),
            output_topic_arn=world.stack.outputs["sdNotificationOutputArn"],
            output_bucket=world.stack.outputs["OutputS3Bucket"],
            webhooks_queue_url=_id(ids, "WebhookEventsQueue"),
            api_base_url="http://127.0.0.1:8080",
        )

    # Then
    assert {key: world.agent.get(key, "") for key in expected} == expected


def _id(ids: Mapping[str, str], prefix: str) -> str:
    (found,) = [physical for logical, physical in ids.items() if logical.startswith(prefix)]
    return found
