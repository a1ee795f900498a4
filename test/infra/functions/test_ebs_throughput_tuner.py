"""The tuner on an embedded EC2: which volume it slows down, and what it leaves alone."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from infra.functions.ebs_throughput_tuner import Settings, handle, tune
from test.support.moto_server import running_moto

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

REGION = "us-west-2"
SETTINGS = Settings(cluster="sdoneksStack", device="/dev/xvdb")
TAGS = {"eks:eks-cluster-name": "sdoneksStack", "karpenter.sh/nodepool": "sdruntime"}
FAST = (1000, 4000)
"""MB/s and operations a second."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_moto() as url:
        yield url


@pytest.fixture
def ec2(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> "EC2Client":
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():
        monkeypatch.setenv(name, value)
    return boto3.client("ec2")


def launch(ec2: "EC2Client", tags: Mapping[str, str], devices: tuple[str, ...] = ("/dev/xvda", "/dev/xvdb")) -> str:
    """A running instance, all of whose volumes are fast."""
    answer = ec2.run_instances(
        ImageId=ec2.describe_images()["Images"][0]["ImageId"],
        MinCount=1,
        MaxCount=1,
        BlockDeviceMappings=[
            {"DeviceName": device, "Ebs": {"VolumeSize": 10, "VolumeType": "gp3"}} for device in devices
        ],
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    )
    instance_id = answer["Instances"][0]["InstanceId"]
    for volume_id in volumes(ec2, instance_id).values():
        ec2.modify_volume(VolumeId=volume_id, Throughput=FAST[0], Iops=FAST[1])
    return instance_id


def volumes(ec2: "EC2Client", instance_id: str) -> dict[str, str]:
    (reservation,) = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
    (instance,) = reservation["Instances"]
    return {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in instance["BlockDeviceMappings"]}


def speeds(ec2: "EC2Client", instance_id: str) -> dict[str, tuple[int, int]]:
    found = {}
    for device, volume_id in volumes(ec2, instance_id).items():
        (volume,) = ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"]
        found[device] = (volume["Throughput"], volume["Iops"])
    return found


def test_the_data_volume_of_our_node_is_slowed_down_and_no_other(ec2: "EC2Client") -> None:
    # Given
    instance = launch(ec2, TAGS)

    # When
    answer = handle_with(ec2, instance)

    # Then
    assert answer == {"instance": instance, "outcome": "slowed down"}
    assert speeds(ec2, instance) == {"/dev/xvda": FAST, "/dev/xvdb": (125, 3000)}


def handle_with(ec2: "EC2Client", instance: str) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUSTER_NAME", SETTINGS.cluster)
        patch.setenv("DATA_DEVICE", SETTINGS.device)
        return handle({"instance": instance}, None)


def test_a_volume_that_is_slow_already_is_left_alone(ec2: "EC2Client") -> None:
    # Given
    instance = launch(ec2, TAGS)
    tune(instance, SETTINGS, ec2)

    # Then
    assert tune(instance, SETTINGS, ec2) == "not faster"


@pytest.mark.parametrize(
    "tags",
    [
        {"Name": "a server"},
        {"eks:eks-cluster-name": "sdoneksStack"},
        {"karpenter.sh/nodepool": "sdruntime"},
        {**TAGS, "eks:eks-cluster-name": "sdoneksStack2"},
        {**TAGS, "eks:eks-cluster-name": "mysdoneksStack"},
        {"other": "sdoneksStack", "karpenter.sh/nodepool": "sdruntime"},
    ],
)
def test_what_is_not_exactly_our_node_is_left_alone(ec2: "EC2Client", tags: dict[str, str]) -> None:
    # Given
    instance = launch(ec2, tags)

    # Then
    assert tune(instance, SETTINGS, ec2) == "not ours"
    assert set(speeds(ec2, instance).values()) == {FAST}


def test_a_node_without_a_data_volume_is_left_alone(ec2: "EC2Client") -> None:
    # Given
    instance = launch(ec2, TAGS, devices=("/dev/xvda",))

    # Then
    assert tune(instance, SETTINGS, ec2) == "no data volume"
    assert set(speeds(ec2, instance).values()) == {FAST}


def test_a_node_that_is_gone_by_then_is_no_error(ec2: "EC2Client") -> None:
    # Given
    instance = launch(ec2, TAGS)
    ec2.terminate_instances(InstanceIds=[instance])

    # Then
    assert tune(instance, SETTINGS, ec2) == "gone"
    assert tune("i-0123456789abcdef0", SETTINGS, ec2) == "gone"


def test_an_error_of_aws_is_raised_for_the_state_machine_to_try_again(ec2: "EC2Client") -> None:
    # Given
    config = Config(retries={"total_max_attempts": 1})
    nobody = boto3.client("ec2", REGION, endpoint_url="http://127.0.0.1:1", config=config)

    # Then
    with pytest.raises(EndpointConnectionError):
        tune("i-0123456789abcdef0", SETTINGS, nobody)
