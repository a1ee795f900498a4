"""The drain: what holds the stack's deletion, and for how long."""

import threading
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from infra.functions.node_drain import Drain, handle
from test.infra.functions.conftest import CloudFormation

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_iam import IAMClient

DELETE = {
    "RequestType": "Delete",
    "StackId": "stack",
    "RequestId": "request",
    "LogicalResourceId": "Drain",
    "PhysicalResourceId": "drain",
}


@pytest.fixture
def drain() -> Drain:
    """Of a cluster of its own, whose node role is there."""
    name = f"c{uuid.uuid4().hex}"
    iam = boto3.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    return Drain(cluster=name, role=name, ec2=boto3.client("ec2"), iam=iam)


def launch(ec2: "EC2Client", tags: dict[str, str]) -> str:
    answer = ec2.run_instances(
        ImageId=ec2.describe_images()["Images"][0]["ImageId"],
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    )
    return answer["Instances"][0]["InstanceId"]


def a_node(drain: Drain) -> str:
    return launch(drain.ec2, {"eks:eks-cluster-name": drain.cluster, "karpenter.sh/nodepool": "sd"})


def a_profile(iam: "IAMClient", role: str) -> str:
    name = f"p{uuid.uuid4().hex}"
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    return name


def asked(drain: Drain, event: dict[str, Any] = DELETE, *, seconds: float = 0) -> str | None:
    return drain.objection(event, seconds=seconds, pause=0.01)


def test_nothing_left_lets_the_deletion_go_on(drain: Drain) -> None:
    assert asked(drain) is None


def test_a_node_holds_the_deletion_and_is_named(drain: Drain) -> None:
    # Given
    node = a_node(drain)

    # When
    reason = asked(drain)

    # Then
    assert reason is not None
    assert node in reason


def test_a_profile_that_karpenter_made_holds_the_deletion_and_is_named(drain: Drain) -> None:
    # Given
    profile = a_profile(drain.iam, drain.role)

    # When
    reason = asked(drain)

    # Then
    assert reason is not None
    assert profile in reason


def test_other_instances_do_not_hold_it(drain: Drain) -> None:
    # Given
    launch(drain.ec2, {"eks:eks-cluster-name": "another", "karpenter.sh/nodepool": "sd"})
    launch(drain.ec2, {"eks:eks-cluster-name": drain.cluster, "eks:nodegroup-name": "components"})
    drain.ec2.terminate_instances(InstanceIds=[a_node(drain)])

    # Then
    assert asked(drain) is None


def test_it_waits_until_the_last_node_is_gone(drain: Drain) -> None:
    # Given
    node = a_node(drain)
    end = threading.Timer(0.2, lambda: drain.ec2.terminate_instances(InstanceIds=[node]))
    end.start()

    # Then
    assert asked(drain, seconds=60) is None
    end.join()


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_only_a_deletion_is_held(drain: Drain, kind: str) -> None:
    # Given
    a_node(drain)

    # Then
    assert asked(drain, {**DELETE, "RequestType": kind}) is None


def test_cloudformation_is_told_before_the_functions_time_is_over(
    drain: Drain, cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    node = a_node(drain)
    monkeypatch.setenv("CLUSTER_NAME", drain.cluster)
    monkeypatch.setenv("NODE_ROLE", drain.role)
    context = SimpleNamespace(log_stream_name="stream", get_remaining_time_in_millis=lambda: 60_000)

    # When
    handle({**DELETE, "ResponseURL": cloudformation.url}, context)

    # Then
    (answer,) = cloudformation.answers
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "drain")
    assert node in answer["Reason"]
