"""An agent gets the same environment in a pod and on the local platform, variable by variable."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.chart_values import Place, chart_values
from infra.config.model import Config, parse_config
from infra.topology import Route, Topology, topology_of
from test.charts.chart import CHART, KUBERNETES, Rendered, env, run_helm
from test.infra.configs import CHINA, EVERYTHING, SHARED, THREE
from utils.local.cloud import Access, Cloud, QueueAddress
from utils.local.services import agent_service, environment

OWN_TO_THE_POD = {"API_BASE_URL", "HEALTH_PORT", "SHUTDOWN_GRACE", "STATE_DIR"}
"""What only the chart knows: the runtime's port, the agent's own, how long the pod has to end, where its volume is."""

OWN_TO_THE_MACHINE = OWN_TO_THE_POD | {"ALLOW_LOOPBACK_LINKS", "HEALTH_HOST"}
"""The same on one machine, where many agents share an address."""


def in_the_pod(config: Config, topology: Topology, route: Route, extra: Mapping[str, Any]) -> dict[str, str]:
    """The agent's environment, as the chart renders it from what the stack gives."""
    place = Place(
        partition=config.partition,
        region="us-east-1",
        image_registry="registry.example",
        node_role="nodes",
        security_group_tags={"group": "ours"},
        subnet_tags={"net": "ours"},
        service_account=route.name,
        model_bucket="models",
        output_bucket="results",
        output_topic_arn="arn:aws:sns:us-east-1:123456789012:callbacks",
        queue_url=f"https://sqs.example/{route.queue.name}",
        dead_letter_queue_url=f"https://sqs.example/{route.dead_letters.name}",
        webhooks_queue_url=f"https://sqs.example/{topology.webhooks.queue.name}",
        telemetry_endpoint="",
    )
    values = json.dumps(chart_values(topology, route, place, extra))
    text = run_helm("template", route.name, str(CHART), "--kube-version", KUBERNETES, "-f", "-", stdin=values)
    return env(Rendered([one for one in yaml.safe_load_all(text) if one]).agent)


def on_the_machine(topology: Topology, route: Route) -> dict[str, str]:
    """The agent's environment on the local platform, without what every part and every AWS client has there."""
    access = Access("http://127.0.0.1:1", "us-east-1")
    cloud = Cloud(
        access=access,
        input_topic_arn="arn:aws:sns:us-east-1:123456789012:tasks",
        output_topic_arn="arn:aws:sns:us-east-1:123456789012:callbacks",
        output_bucket="results",
        queues={
            name: QueueAddress(f"https://sqs.example/{name}", f"arn:{name}")
            for name in (route.queue.name, route.dead_letters.name, topology.webhooks.queue.name)
        },
    )
    part = agent_service(
        topology,
        cloud,
        route,
        1,
        api_base_url="http://127.0.0.1:2",
        health_port=3,
        state_dir=Path("state"),
        telemetry={},
    )
    others = environment(access.environment()).keys() - {"AWS_DEFAULT_REGION"}
    return {name: value for name, value in part.environment.items() if name not in others}


@pytest.mark.parametrize("raw", [THREE, SHARED, EVERYTHING, CHINA], ids=["three", "shared", "everything", "china"])
def test_the_chart_and_the_local_platform_give_an_agent_the_same(raw: dict[str, Any]) -> None:
    # Given
    config = parse_config(raw)
    topology = topology_of(config)

    for route in topology.routes:
        # When
        pod = in_the_pod(config, topology, route, {})
        machine = on_the_machine(topology, route)

        # Then what is empty counts as not set
        local = {name: value for name, value in machine.items() if name not in OWN_TO_THE_MACHINE and value}
        assert {name: value for name, value in pod.items() if name not in OWN_TO_THE_POD} == local
        assert {"LEASE_SECONDS", "MAX_ATTEMPTS", "TASK_TIMEOUT"} <= local.keys()


def test_the_users_values_and_extra_environment_win() -> None:
    # Given
    config = parse_config(THREE)
    topology = topology_of(config)
    agent = {"s3Bucket": "mine", "extraEnv": {"LEASE_SECONDS": 90, "NEW": "x"}}

    # When
    pod = in_the_pod(config, topology, topology.routes[0], {"runtime": {"queueAgent": agent}})

    # Then
    assert (pod["S3_BUCKET"], pod["LEASE_SECONDS"], pod["NEW"]) == ("mine", "90", "x")
