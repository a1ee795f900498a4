"""The values of a runtime's chart."""

from typing import Any

import pytest

from infra.chart_values import CPU_INSTANCES, Place, chart_values, merged, pays_for_throughput
from infra.config.model import parse_config
from infra.topology import topology_of
from test.infra.configs import EVERYTHING

PLACE = Place(
    partition="aws",
    region="eu-west-1",
    image_registry="registry.example",
    node_role="nodes",
    security_group_tags={"group": "ours"},
    subnet_tags={"net": "ours"},
    service_account="sdruntime",
    model_bucket="models",
    output_bucket="results",
    output_topic_arn="arn:callbacks",
    queue_url="https://queue",
    webhooks_queue_url="https://sqs/webhook_events",
    dead_letter_queue_url="https://dead",
    telemetry_endpoint="http://collector",
)


def test_the_users_value_wins_and_all_else_stays() -> None:
    # Given
    topology = topology_of(parse_config(EVERYTHING))
    extra = {"global": {"imageRegistry": "mine.example"}, "runtime": {"scaling": {"maxReplicaCount": 3}}}

    # When
    values = chart_values(topology, topology.routes[0], PLACE, extra)

    # Then
    assert values["global"] == {
        "awsRegion": "eu-west-1",
        "stackName": "otherStack",
        "imageRegistry": "mine.example",
    }
    assert values["runtime"]["scaling"] == {"maxReplicaCount": 3}
    assert values["runtime"]["queueAgent"]["sqsQueueUrl"] == "https://queue"


def test_the_stacks_values_reach_the_chart() -> None:
    # Given
    topology = topology_of(parse_config(EVERYTHING))

    # When
    values = chart_values(topology, topology.routes[0], PLACE, {})

    # Then
    runtime = values["runtime"]
    assert (runtime["name"], runtime["type"], runtime["taskTimeout"]) == ("sdruntime", "sdwebui", 900)
    assert runtime["inferenceApi"] == {"modelFilename": "v1-5-pruned.safetensors"}
    assert runtime["queueAgent"]["dynamicModel"] is True
    assert runtime["queueAgent"]["inputBuckets"] == ["photos", "masks"]
    assert runtime["persistence"] == {"bucketName": "models"}


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": "text"}),
        ({"a": "text"}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": 1}, {"a": None, "b": None}, {"a": 1}),
        ({}, {"a": {"b": {"c": None, "d": False}}}, {"a": {"b": {"d": False}}}),
    ],
)
def test_merging_goes_down_mappings_only(base: dict[str, Any], over: dict[str, Any], result: dict[str, Any]) -> None:
    assert merged(base, over) == result


@pytest.mark.parametrize(
    ("template", "pays"),
    [
        ({}, False),
        ({"dataVolume": {"snapshotID": "snap-1"}}, True),
        ({"dataVolume": {"snapshotID": "snap-1", "throughput": 125, "iops": 3000}}, False),
        ({"dataVolume": {"throughput": 500}}, True),
        ({"dataVolume": {"iops": 4000}}, True),
        ({"instanceStorePolicy": ""}, True),
        ({"instanceStorePolicy": "RAID0"}, False),
        ({"dataVolume": "wrong"}, False),
    ],
)
def test_a_fast_volume_is_known_by_the_charts_rules(template: dict[str, Any], *, pays: bool) -> None:
    assert pays_for_throughput({"karpenter": {"nodeTemplate": template}}) is pays


def test_the_image_kit_gets_nodes_without_a_gpu_and_no_models_unless_the_user_says_otherwise() -> None:
    # Given
    kit = {"name": "kit", "namespace": "kit", "type": "imagekit"}
    topology = topology_of(parse_config({**EVERYTHING, "modelsRuntime": [kit]}))
    (route,) = topology.routes
    extra = {"karpenter": {"provisioner": {"instanceType": ["c7i.2xlarge"]}}}

    # When
    values, own = (chart_values(topology, route, PLACE, one) for one in ({}, extra))

    # Then
    assert values["karpenter"]["provisioner"]["instanceType"] == list(CPU_INSTANCES)
    assert values["runtime"]["persistence"]["enabled"] is False
    assert own["karpenter"]["provisioner"]["instanceType"] == ["c7i.2xlarge"]
