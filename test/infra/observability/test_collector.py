"""The collector's Kubernetes objects."""

import json
import re
from typing import Any

import kubernetes_validate
import pytest

from contract.metrics import METRICS
from infra.app import ROOT
from infra.observability.collector import ENDPOINT, POD, collector_objects, namespace_object

OBJECTS = collector_objects(region="us-west-2", metrics_namespace="sdoneksStack", log_group="metrics", registry=None)


EMF_KEYS = {
    *("region", "namespace", "log_group_name", "log_stream_name", "dimension_rollup_option"),
    *("resource_to_telemetry_conversion", "metric_declarations", "metric_descriptors"),
}
"""Of awsemf's own schema (exporter/awsemfexporter/config.schema.yaml), those that we use. An exporter refuses a key
that it does not know, and the collector then does not start."""

XRAY_KEYS = {"region", "indexed_attributes"}
"""Of awsxray's README."""


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


def test_pods_that_send_at_once_are_told_apart() -> None:
    """Of two points with the same labels and time in one batch, the exporter drops one."""
    # Given
    config = json.loads(of_kind("ConfigMap")["data"]["config.yaml"])
    processors = config["service"]["pipelines"]["metrics"]["processors"]

    # Then
    (added,) = config["processors"]["resource"]["attributes"]
    assert added["from_context"] == "client.address"
    assert processors.index("resource") < processors.index("batch")
    assert config["exporters"]["awsemf"]["resource_to_telemetry_conversion"] == {"enabled": True}
    assert not [one for one in config["exporters"]["awsemf"]["metric_declarations"] if POD in str(one["dimensions"])]


def test_the_exporters_get_no_key_that_they_do_not_know() -> None:
    exporters = json.loads(of_kind("ConfigMap")["data"]["config.yaml"])["exporters"]

    assert exporters["awsemf"].keys() <= EMF_KEYS
    assert exporters["awsxray"].keys() <= XRAY_KEYS
    for one in exporters["awsemf"]["metric_declarations"]:
        assert one.keys() == {"dimensions", "metric_name_selectors"}
    for one in exporters["awsemf"]["metric_descriptors"]:
        assert one.keys() == {"metric_name", "unit", "overwrite"}


def test_every_unit_is_one_of_cloudwatchs() -> None:
    config = json.loads(of_kind("ConfigMap")["data"]["config.yaml"])
    units = {one["metric_name"]: one["unit"] for one in config["exporters"]["awsemf"]["metric_descriptors"]}

    assert units.keys() == {metric.name for metric in METRICS}
    assert set(units.values()) == {"Count", "Seconds", "Bytes"}
    assert units["tasks_total"] == "Count"


def test_a_pattern_is_one_whole_name() -> None:
    config = json.loads(of_kind("ConfigMap")["data"]["config.yaml"])
    selectors = [
        selector
        for declaration in config["exporters"]["awsemf"]["metric_declarations"]
        for selector in declaration["metric_name_selectors"]
    ]

    for selector in selectors:
        assert len([metric for metric in METRICS if re.search(selector, metric.name)]) == 1
    assert len(selectors) == len(set(selectors))


def test_traces_are_found_by_what_agents_write_on_their_spans() -> None:
    # Given
    config = json.loads(of_kind("ConfigMap")["data"]["config.yaml"])
    indexed = config["exporters"]["awsxray"]["indexed_attributes"]
    agent = "".join(path.read_text() for path in (ROOT / "src" / "queue_agent").rglob("*.py"))

    # Then
    assert "task_id" in indexed
    for name in indexed:
        assert re.fullmatch(r"\w+", name)
        assert re.search(rf"note\([^)]*\b{name}=|\"{name}\"[:,] ", agent)


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
