"""EKS add-ons: their versions, their roles, and what is installed before and after them."""

import json
from typing import Any, get_args

from infra.config.model import Eks, EksAddon
from infra.versions import EKS_ADDONS
from test.infra.reading import addons, named, of_type, releases, the_one, waits_for


def test_addons_have_roles_by_pod_identity(default: dict[str, Any]) -> None:
    # When
    installed = addons(default)

    # Then
    assert set(installed) == {
        "vpc-cni",
        "kube-proxy",
        "eks-pod-identity-agent",
        "coredns",
        "aws-mountpoint-s3-csi-driver",
        "amazon-cloudwatch-observability",
    }
    accounts = {
        name: [one["ServiceAccount"] for one in addon.get("PodIdentityAssociations", [])]
        for name, addon in installed.items()
    }
    assert accounts["vpc-cni"] == ["aws-node"]
    assert accounts["aws-mountpoint-s3-csi-driver"] == ["s3-csi-driver-sa"]
    assert accounts["amazon-cloudwatch-observability"] == ["cloudwatch-agent"]
    values = json.loads(installed["amazon-cloudwatch-observability"]["ConfigurationValues"])
    assert values["applicationSignals"] == {"enabled": False}


def test_nvidias_exporter_runs_only_where_it_is_asked_for(default: dict[str, Any], china: dict[str, Any]) -> None:
    def exported(template: dict[str, Any]) -> bool:
        values = json.loads(addons(template)["amazon-cloudwatch-observability"]["ConfigurationValues"])
        kubernetes = values["agent"]["config"]["logs"]["metrics_collected"]["kubernetes"]
        assert kubernetes["enhanced_container_insights"] is True
        return bool(kubernetes["accelerated_compute_metrics"])

    assert (exported(default), exported(china)) == (False, True)


def test_every_addon_has_the_version_that_the_project_is_made_for_or_the_configs(
    default: dict[str, Any], everything: dict[str, Any]
) -> None:
    pinned = EKS_ADDONS["1.35"]

    assert {name: addon["AddonVersion"] for name, addon in addons(default).items()} == pinned
    assert addons(everything)["coredns"]["AddonVersion"] == "v1.12.4-eksbuild.1"
    assert addons(everything)["vpc-cni"]["AddonVersion"] == pinned["vpc-cni"]


def test_every_addon_that_can_be_named_in_the_config_is_pinned() -> None:
    assert set(get_args(EksAddon)) == EKS_ADDONS["1.35"].keys()
    assert set(EKS_ADDONS) == {Eks().version}


def test_what_makes_nodes_ready_comes_before_them_and_what_needs_nodes_after(default: dict[str, Any]) -> None:
    nodes = named(default, "AWS::EKS::Nodegroup", "AL2023")
    for name in ("vpc-cni", "kube-proxy", "eks-pod-identity-agent"):
        assert waits_for(default, nodes, named(default, "AWS::EKS::Addon", f'"{name}"'))
    for name in ("coredns", "aws-mountpoint-s3-csi-driver", "amazon-cloudwatch-observability"):
        assert waits_for(default, named(default, "AWS::EKS::Addon", f'"{name}"'), nodes)
    for name in ("karpenter", "keda"):
        assert waits_for(default, named(default, "Custom::AWSCDK-EKS-HelmChart", f'"Release": "{name}"'), nodes)


def test_container_logs_have_their_groups_before_the_addon_writes(default: dict[str, Any]) -> None:
    addon = named(default, "AWS::EKS::Addon", '"amazon-cloudwatch-observability"')

    for kind in ("application", "dataplane", "host", "performance"):
        group = named(default, "AWS::Logs::LogGroup", f"/aws/containerinsights/sdoneksStack/{kind}")
        assert waits_for(default, addon, group)


def test_tracing_and_observability_are_switches(default: dict[str, Any], everything: dict[str, Any]) -> None:
    def endpoint(template: dict[str, Any]) -> str:
        return str(releases(template)["sdruntime"]["Values"]["runtime"]["queueAgent"]["otlp"]["endpoint"])

    # Then
    assert endpoint(default) == "http://collector.telemetry:4318"
    assert the_one(default, "Custom::AWSCDK-EKS-KubernetesResource", "Telemetry")
    assert the_one(default, "AWS::ApiGateway::Stage")["TracingEnabled"] is True
    assert endpoint(everything) == ""
    assert not [name for name in everything["Resources"] if name.startswith("Telemetry")]
    assert the_one(everything, "AWS::ApiGateway::Stage")["TracingEnabled"] is False
    assert "amazon-cloudwatch-observability" not in addons(everything)
    assert not [one for one in of_type(everything, "AWS::SNS::Topic").values() if one.get("TracingConfig") == "Active"]
