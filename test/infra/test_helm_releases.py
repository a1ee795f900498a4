"""What Helm installs in the cluster: Karpenter, the CRDs, and each runtime with what the stack made for it."""

import json
from typing import Any

import yaml

from infra.app import ROOT
from infra.constructs.karpenter import INTERRUPTIONS
from test.infra.configs import OWN_CHARTS
from test.infra.reading import functions, named, of_type, releases, the_one, waits_for

CONTROLLERS = {"karpenter", "karpenter-crd", "keda"}


def test_a_runtime_comes_after_the_controllers_and_its_account_after_its_namespace(default: dict[str, Any]) -> None:
    runtime = named(default, "Custom::AWSCDK-EKS-HelmChart", '"Release": "sdruntime"')
    for name in ("karpenter", "karpenter-crd", "keda"):
        assert waits_for(default, runtime, named(default, "Custom::AWSCDK-EKS-HelmChart", f'"Release": "{name}"'))
    account = named(default, "Custom::AWSCDK-EKS-KubernetesResource", "sdruntime")
    assert waits_for(default, account, runtime)
    assert waits_for(default, account, named(default, "AWS::EKS::PodIdentityAssociation", '"sdruntime"'))


def test_karpenter_knows_its_cluster_and_hears_of_interruptions(default: dict[str, Any]) -> None:
    # When
    release = releases(default)["karpenter"]
    rules = of_type(default, "AWS::Events::Rule").values()

    # Then
    assert (release["Repository"], release["Version"]) == ("oci://public.ecr.aws/karpenter/karpenter", "1.14.1")
    assert release["SkipCrds"] is True
    # Without nodes there is no cluster DNS, and without Karpenter no nodes.
    assert release["Values"]["dnsPolicy"] == "Default"
    assert release["Values"]["settings"]["clusterName"] == "sdoneksStack"
    assert release["Values"]["settings"]["interruptionQueue"].startswith("<KarpenterInterruptions")
    assert {kind for rule in rules for kind in rule["EventPattern"]["detail-type"]} == {
        kind for _, kind in INTERRUPTIONS.values()
    }
    for rule in rules:
        (target,) = rule["Targets"]
        assert target["Arn"].startswith("<KarpenterInterruptions")


def test_crds_are_a_release_of_their_own_because_helm_never_upgrades_them(default: dict[str, Any]) -> None:
    release = releases(default)["karpenter-crd"]

    assert (release["Repository"], release["Version"]) == ("oci://public.ecr.aws/karpenter/karpenter-crd", "1.14.1")


def test_helm_gives_up_before_the_function_that_runs_it_is_killed(three: dict[str, Any]) -> None:
    # Given
    (provider,) = [one for name, one in functions(three).items() if name.startswith("ClusterKubectlProviderHandler")]

    # Then
    for name, release in releases(three).items():
        assert release["Timeout"] == "600s", name
        assert provider["Timeout"] - 600 >= 240
        assert release.get("Atomic", False) == release.get("Wait", False) == (name in CONTROLLERS)


def test_charts_and_images_come_from_where_the_config_says(china: dict[str, Any]) -> None:
    # Given
    registry = "123456789012.dkr.ecr.cn-northwest-1.amazonaws.com.cn"

    # When
    made = releases(china)

    # Then
    assert made["karpenter"]["Repository"] == f"oci://{registry}/charts/karpenter"
    assert made["karpenter-crd"]["Repository"] == f"oci://{registry}/charts/karpenter-crd"
    assert (made["keda"]["Repository"], made["keda"]["Version"]) == ("https://charts.example.cn", "2.20.1")
    assert made["karpenter"]["Values"]["controller"]["image"]["repository"] == f"{registry}/karpenter/controller"
    assert made["keda"]["Values"]["global"]["image"]["registry"] == registry
    assert made["comfy"]["Values"]["global"]["imageRegistry"] == registry
    collector = the_one(china, "Custom::AWSCDK-EKS-KubernetesResource", "Telemetry")
    assert f'"{registry}/aws-observability/aws-otel-collector:' in collector["Manifest"]
    assert "public.ecr.aws" not in json.dumps([one["Values"] for one in made.values()])


def test_a_runtime_takes_its_chart_from_its_own_repository(everything: dict[str, Any]) -> None:
    # When
    made = releases(everything)

    # Then
    assert made["comfy"]["Repository"] == "oci://registry.example/charts/sd-on-eks"
    assert made["comfy"]["Version"] == "1.2.3"
    assert "ChartAssetURL" not in made["comfy"]
    assert made["sdruntime"]["ChartAssetURL"].startswith("s3://")
    assert made["sdruntime"]["Namespace"] == "default"


def test_a_repository_of_ones_own_holds_the_charts_present_version(three: dict[str, Any]) -> None:
    # Given
    chart = yaml.safe_load((ROOT / "charts" / "sd-on-eks" / "Chart.yaml").read_text())

    # When
    made = releases(three)["invoke"]

    # Then
    assert (made["Repository"], made["Chart"], made["Version"]) == (OWN_CHARTS, chart["name"], chart["version"])


def test_a_runtime_is_told_what_the_stack_made_for_it(everything: dict[str, Any]) -> None:
    # When
    values = releases(everything)["sdruntime"]["Values"]

    # Then
    agent = values["runtime"]["queueAgent"]
    assert agent["sqsQueueUrl"].startswith("<RoutingsdruntimeQueue")
    assert agent["deadLetterQueueUrl"].startswith("<RoutingsdruntimeDeadLetters")
    assert agent["snsTopicArn"].startswith("<RoutingCallbacks")
    assert agent["s3Bucket"].startswith("<OutputBucket")
    assert values["karpenter"]["nodeTemplate"]["iamRole"].startswith("<GpuNodeRole")
    assert values["karpenter"]["nodeTemplate"]["dataVolume"] == {"snapshotID": "snap-0123456789"}


def test_gpu_types_are_those_of_the_region(default: dict[str, Any], china: dict[str, Any]) -> None:
    # Given the chart's own, which are for the global regions
    types = yaml.safe_load((ROOT / "charts" / "sd-on-eks" / "values.yaml").read_text())["karpenter"]["provisioner"]

    # Then
    assert "g6.xlarge" in types["instanceType"]
    assert "provisioner" not in releases(default)["sdruntime"]["Values"]["karpenter"]
    chinese = releases(china)["sdruntime"]["Values"]["karpenter"]["provisioner"]["instanceType"]
    assert chinese
    assert not [one for one in chinese if one.startswith("g6")]


def test_the_nodes_selectors_find_what_the_stack_tags(default: dict[str, Any]) -> None:
    # Given
    template = releases(default)["sdruntime"]["Values"]["karpenter"]["nodeTemplate"]
    ((key, value),) = template["subnetSelector"].items()

    # When
    subnets = of_type(default, "AWS::EC2::Subnet").values()
    found = [subnet for subnet in subnets if {"Key": key, "Value": value} in subnet["Tags"]]

    # Then
    assert [subnet["MapPublicIpOnLaunch"] for subnet in found] == [False, False, False]
    assert template["securityGroupSelector"] == {"aws:eks:cluster-name": the_one(default, "AWS::EKS::Cluster")["Name"]}


def test_a_runtimes_account_has_the_agents_role_and_no_token(three: dict[str, Any]) -> None:
    associations = of_type(three, "AWS::EKS::PodIdentityAssociation").values()
    for name in ("sdruntime", "comfy", "invoke"):
        (association,) = [one for one in associations if one["ServiceAccount"] == name]
        assert association["RoleArn"].startswith("<AgentRole")
        manifest = the_one(three, "Custom::AWSCDK-EKS-KubernetesResource", f"Runtime{name}")
        (account,) = json.loads(manifest["Manifest"])
        assert account["kind"] == "ServiceAccount"
        assert account["metadata"] == {"name": name, "namespace": association["Namespace"]}
        assert account["automountServiceAccountToken"] is False


def test_on_deletion_karpenter_stays_until_its_nodes_are_gone(default: dict[str, Any]) -> None:
    """CloudFormation deletes in the opposite order of making."""
    # Given
    (drain,) = of_type(default, "Custom::NodeDrain")
    karpenter = named(default, "Custom::AWSCDK-EKS-HelmChart", '"Release": "karpenter"')
    runtime = named(default, "Custom::AWSCDK-EKS-HelmChart", '"Release": "sdruntime"')

    # Then
    assert waits_for(default, runtime, drain)
    assert waits_for(default, drain, karpenter)
    for policy in of_type(default, "AWS::IAM::ManagedPolicy"):
        assert waits_for(default, karpenter, policy)
    # Pods finish their tasks while it waits, and Karpenter evicts them.
    for addon in ("coredns", "aws-mountpoint-s3-csi-driver", "vpc-cni", "eks-pod-identity-agent"):
        assert waits_for(default, drain, named(default, "AWS::EKS::Addon", f'"{addon}"')), addon
    assert waits_for(default, drain, named(default, "Custom::AWSCDK-EKS-HelmChart", '"Release": "keda"'))
    (policy,) = [name for name in of_type(default, "AWS::IAM::Policy") if name.startswith("AgentRole")]
    assert waits_for(default, drain, policy)
    assert waits_for(default, drain, named(default, "AWS::EKS::PodIdentityAssociation", '"sdruntime"'))
    for queue in of_type(default, "AWS::SQS::Queue"):
        assert not queue.startswith("Routing") or waits_for(default, drain, queue)
    assert waits_for(default, karpenter, named(default, "AWS::EKS::AccessEntry", "EC2_LINUX"))
    assert waits_for(default, karpenter, named(default, "AWS::EC2::NatGateway", "SubnetId"))
    variables = the_one(default, "AWS::Lambda::Function", "NodeDrain")["Environment"]["Variables"]
    assert variables["CLUSTER_NAME"] == "sdoneksStack"
    assert variables["NODE_ROLE"].startswith("<GpuNodeRole")
