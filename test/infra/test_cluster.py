"""The network, the cluster, what is installed in it, and each runtime."""

import json
from typing import Any, get_args

import pytest
import yaml

from infra.app import ROOT
from infra.config.model import Eks, EksAddon, parse_config
from infra.constructs.karpenter import INTERRUPTIONS
from infra.log_groups import named_log_groups
from infra.versions import EKS_ADDONS
from test.infra.configs import EVERYTHING, ONE, OWN_CHARTS
from test.infra.reading import of_type, plain, the_one


def releases(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Helm releases by name, values as data."""
    charts = of_type(template, "Custom::AWSCDK-EKS-HelmChart").values()
    return {chart["Release"]: {**chart, "Values": json.loads(chart["Values"])} for chart in charts}


def addons(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """EKS add-ons by name."""
    return {addon["AddonName"]: addon for addon in of_type(template, "AWS::EKS::Addon").values()}


def functions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All Lambda functions by logical id."""
    return of_type(template, "AWS::Lambda::Function")


CONTROLLERS = {"karpenter", "karpenter-crd", "keda"}


def waits_for(template: dict[str, Any], resource: str, other: str) -> bool:
    """Whether CloudFormation makes ``resource`` after ``other``, directly or through others."""
    seen: set[str] = set()
    todo = [resource]
    while todo:
        name = todo.pop()
        if name == other:
            return True
        if name not in seen:
            seen.add(name)
            one = template["Resources"][name]
            depends = one.get("DependsOn", [])
            todo += [depends] if isinstance(depends, str) else depends
            todo += [known for known in template["Resources"] if f'"{known}"' in json.dumps(one.get("Properties"))]
    return False


def named(template: dict[str, Any], kind: str, part: str) -> str:
    resources: dict[str, dict[str, Any]] = template["Resources"]
    (found,) = [
        name for name, one in resources.items() if one["Type"] == kind and part in json.dumps(one["Properties"])
    ]
    return found


def test_the_network_has_three_zones_and_one_nat_gateway(default: dict[str, Any], everything: dict[str, Any]) -> None:
    subnets = of_type(default, "AWS::EC2::Subnet").values()
    assert len(subnets) == 6
    assert {subnet["CidrBlock"].split("/")[1] for subnet in subnets} == {"19"}
    assert len(of_type(default, "AWS::EC2::NatGateway")) == 1
    assert len(of_type(everything, "AWS::EC2::NatGateway")) == 3
    endpoints = of_type(default, "AWS::EC2::VPCEndpoint").values()
    assert sorted(endpoint["ServiceName"] for endpoint in endpoints) == [
        "com.amazonaws.<Region>.dynamodb",
        "com.amazonaws.<Region>.s3",
    ]


def test_flow_logs_are_a_switch(default: dict[str, Any], everything: dict[str, Any]) -> None:
    assert not of_type(default, "AWS::EC2::FlowLog")
    assert the_one(everything, "AWS::EC2::FlowLog")["TrafficType"] == "ALL"


def test_the_cluster_is_named_as_the_stack_and_keeps_to_standard_support(default: dict[str, Any]) -> None:
    # When
    cluster = the_one(default, "AWS::EKS::Cluster")

    # Then
    assert (cluster["Name"], cluster["Version"]) == ("sdoneksStack", "1.35")
    assert cluster["UpgradePolicy"] == {"SupportType": "STANDARD"}
    assert cluster["ComputeConfig"] == {"Enabled": False}
    assert cluster["BootstrapSelfManagedAddons"] is False
    assert cluster["AccessConfig"]["AuthenticationMode"] == "API"
    assert len(cluster["Logging"]["ClusterLogging"]["EnabledTypes"]) == 5
    (encryption,) = cluster["EncryptionConfig"]
    assert encryption["Resources"] == ["secrets"]
    assert the_one(default, "AWS::KMS::Key")["EnableKeyRotation"] is True


def test_the_clusters_switches_are_the_configs(everything: dict[str, Any]) -> None:
    # When
    cluster = the_one(everything, "AWS::EKS::Cluster")

    # Then
    assert "EncryptionConfig" not in cluster
    assert cluster["ResourcesVpcConfig"]["PublicAccessCidrs"] == EVERYTHING["eks"]["publicAccessCidrs"]
    assert cluster["Logging"]["ClusterLogging"]["EnabledTypes"] == [{"Type": "audit"}]


def test_the_config_command_takes_a_role_that_administers_the_cluster(
    default: dict[str, Any], everything: dict[str, Any]
) -> None:
    for template, trusted in (
        (default, "arn:<Partition>:iam::<AccountId>:root"),
        (everything, EVERYTHING["eks"]["adminArns"][0]),
    ):
        # Given
        (role,) = [name for name in of_type(template, "AWS::IAM::Role") if name.startswith("ClusterAccessRole")]

        # Then
        assert plain(template["Outputs"]["ConfigCommand"]["Value"]).endswith(f"--role-arn <{role}.Arn>")
        entries = of_type(template, "AWS::EKS::AccessEntry").values()
        (entry,) = [one for one in entries if one["PrincipalArn"] == f"<{role}.Arn>"]
        (policy,) = entry["AccessPolicies"]
        assert policy["PolicyArn"].endswith(":cluster-access-policy/AmazonEKSClusterAdminPolicy")
        (statement,) = of_type(template, "AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"AWS": trusted}


@pytest.mark.parametrize(
    ("fixture", "image", "count"),
    [("default", "AL2023_ARM_64_STANDARD", 2), ("everything", "AL2023_x86_64_STANDARD", 3)],
)
def test_the_components_nodes_fit_their_instance_type(
    request: pytest.FixtureRequest, fixture: str, image: str, count: int
) -> None:
    # Given
    template = request.getfixturevalue(fixture)

    # When
    nodes = the_one(template, "AWS::EKS::Nodegroup")
    data = the_one(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]

    # Then
    assert (nodes["AmiType"], nodes["ScalingConfig"]["DesiredSize"]) == (image, count)
    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert [mapping["Ebs"]["Encrypted"] for mapping in data["BlockDeviceMappings"]] == [True]


def test_node_roles_are_trusted_to_ec2_in_china_too(china: dict[str, Any]) -> None:
    for role in ("ClusterNodeRole", "GpuNodeRole"):
        (statement,) = the_one(china, "AWS::IAM::Role", role)["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "ec2.<URLSuffix>"}


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


def test_every_log_group_has_a_retention_and_those_that_aws_makes_again_a_literal_name(
    default: dict[str, Any],
) -> None:
    # When
    groups = of_type(default, "AWS::Logs::LogGroup")

    # Then
    assert {group["RetentionInDays"] for group in groups.values()} == {30}
    literal = {group["LogGroupName"] for group in groups.values() if "LogGroupName" in group}
    assert literal - {name for name in literal if "<" in name} == set(named_log_groups(parse_config(ONE)))


def test_every_function_writes_a_log_group_of_the_stack(default: dict[str, Any], three: dict[str, Any]) -> None:
    for template in (default, three):
        groups = {f"<{name}>" for name in of_type(template, "AWS::Logs::LogGroup")}
        for name, function in functions(template).items():
            assert function["LoggingConfig"]["LogGroup"] in groups, name


def test_container_logs_have_their_groups_before_the_addon_writes(default: dict[str, Any]) -> None:
    addon = named(default, "AWS::EKS::Addon", '"amazon-cloudwatch-observability"')

    for kind in ("application", "dataplane", "host", "performance"):
        group = named(default, "AWS::Logs::LogGroup", f"/aws/containerinsights/sdoneksStack/{kind}")
        assert waits_for(default, addon, group)


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


def test_the_tuner_is_there_where_a_volume_is_fast(default: dict[str, Any], everything: dict[str, Any]) -> None:
    # Then
    assert not of_type(default, "AWS::StepFunctions::StateMachine")
    machine = the_one(everything, "AWS::StepFunctions::StateMachine")
    definition = json.loads(machine["DefinitionString"])
    assert definition["States"]["Images load"]["Seconds"] == 300
    assert definition["States"]["Slow down"]["Resource"].startswith("<EbsThroughputTunerHandler")
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["TracingConfiguration"] == {"Enabled": True}


def test_the_tuner_hears_of_instances_that_start(everything: dict[str, Any]) -> None:
    # When
    rule = the_one(everything, "AWS::Events::Rule", "EbsThroughputTuner")

    # Then
    assert rule["EventPattern"] == {
        "source": ["aws.ec2"],
        "detail-type": ["EC2 Instance State-change Notification"],
        "detail": {"state": ["running"]},
    }
    (target,) = rule["Targets"]
    assert target["InputTransformer"]["InputPathsMap"] == {"detail-instance-id": "$.detail.instance-id"}
    assert json.loads(target["InputTransformer"]["InputTemplate"].replace("<", '"<').replace(">", '>"')) == {
        "instance": "<detail-instance-id>"
    }


def test_the_guard_is_asked_after_the_front_door_stopped_sending(default: dict[str, Any]) -> None:
    # Given
    (guard,) = of_type(default, "Custom::QueueGuard")
    (function,) = [name for name in of_type(default, "AWS::Lambda::Function") if name.startswith("FrontDoor")]

    # Then
    assert waits_for(default, guard, function)
    (queue,) = the_one(default, "Custom::QueueGuard")["Queues"]
    assert queue.startswith("<RoutingsdruntimeQueue")


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
