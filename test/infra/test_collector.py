"""The collector's Kubernetes objects."""

import json
from typing import Any

import kubernetes_validate
import pytest

from infra.collector import ENDPOINT, collector_objects, namespace_object

OBJECTS = collector_objects(region="us-west-2", metrics_namespace="sdoneksStack", log_group="metrics", registry=None)


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = [one for one in OBJECTS if one["kind"] == kind]
    return found


@pytest.mark.parametrize("one", [namespace_object(), *OBJECTS], ids=lambda one: one["kind"])
def test_every_object_is_what_kubernetes_takes(one: dict[str, Any]) -> None:
    kubernetes_validate.validate(one, "1.35", strict=True)


def test_what_agents_send_to_is_what_the_service_offers() -> None:
    # Given
    service = of_kind("Service")
    host, port = ENDPOINT.removeprefix("http://").split(":")

    # Then
    assert host == f"{service['metadata']['name']}.{service['metadata']['namespace']}"
    assert int(port) in [one["port"] for one in service["spec"]["ports"]]
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_traces_go_to_xray_and_metrics_to_cloudwatch_under_the_stacks_name() -> None:
    # Given
    config = json.loads(of_kind("ConfigMap")["data"]["config.yaml"])

    # Then
    pipelines = config["service"]["pipelines"]
    assert pipelines["traces"]["exporters"] == ["awsxray"]
    assert pipelines["metrics"]["exporters"] == ["awsemf"]
    assert config["exporters"]["awsemf"]["namespace"] == "sdoneksStack"
    assert config["exporters"]["awsemf"]["log_group_name"] == "metrics"
    used = {name for pipeline in pipelines.values() for names in pipeline.values() for name in names}
    assert used == {*config["receivers"], *config["processors"], *config["exporters"]}


def test_the_container_has_no_rights_that_it_does_not_need() -> None:
    # Given
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    # Then
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["image"].endswith(":latest")
