"""The network, the cluster, its logs, and the Lambda functions that look after its nodes."""

import json
from typing import Any

import pytest

from infra.config.model import parse_config
from infra.log_groups import named_log_groups
from test.infra.configs import EVERYTHING, ONE
from test.infra.reading import functions, of_type, plain, the_one, waits_for


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
