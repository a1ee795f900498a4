"""snapshot.sh against an embedded AWS."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from test.support.aws import ACCOUNT, AMI, Aws
from test.support.clone import LIMIT, run
from test.support.ready import BOTTLEROCKET
from utils.deploy.image_cache.cache import CTR

SCRIPT = "utils/bottlerocket-images-cache/snapshot.sh"
PUBLIC = "public.ecr.aws/docker/library/busybox:1.36"
PRIVATE = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/sd-on-eks/sdwebui:latest"


@pytest.fixture(autouse=True)
def ami(aws: Aws) -> Iterator[None]:
    aws.ssm.parameters[BOTTLEROCKET] = AMI
    yield
    # Whatever happened, nothing but snapshots stays.
    reservations = aws.client("ec2").describe_instances()["Reservations"]
    assert {one["State"]["Name"] for reservation in reservations for one in reservation["Instances"]} <= {"terminated"}
    assert aws.client("iam").list_roles()["Roles"] == []
    assert aws.client("iam").list_instance_profiles()["InstanceProfiles"] == []


def snapshot(clone: Path, bin_: Path, aws: Aws, *words: str) -> "subprocess.CompletedProcess[str]":
    return run(clone, bin_, *words, script=SCRIPT, environment=aws.environment)


def snapshots(aws: Aws) -> list[dict[str, object]]:
    response = aws.client("ec2").describe_snapshots(Filters=[{"Name": "tag:Name", "Values": ["sd-on-eks-image-cache"]}])
    return list(response["Snapshots"])


def test_the_images_are_pulled_and_their_volume_is_kept(installed: Path, bin_: Path, aws: Aws) -> None:
    # When
    ended = snapshot(installed, bin_, aws, f"{PRIVATE},{PUBLIC}")
    # Then
    assert ended.returncode == 0, ended.stdout
    private, public = aws.ssm.commands
    assert private.startswith(f"{CTR} images pull --label io.cri-containerd.image=managed --user AWS:")
    assert private.endswith(PRIVATE)
    assert public == f"{CTR} images pull --label io.cri-containerd.image=managed {PUBLIC}"
    (made,) = snapshots(aws)
    assert made["VolumeSize"] == 50
    assert f"All done. The snapshot is {made['SnapshotId']}" in ended.stdout
    assert "--user" not in ended.stdout


def test_quiet_prints_the_id_alone_and_the_options_reach_the_volume(installed: Path, bin_: Path, aws: Aws) -> None:
    # Given
    aws.ssm.parameters["/my/ami"] = AMI
    iam = aws.client("iam")
    iam.create_role(RoleName="mine", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="mine-profile")
    iam.add_role_to_instance_profile(InstanceProfileName="mine-profile", RoleName="mine")
    # When
    options = ["-a", "/my/ami", "-i", "m5.xlarge", "-R", "mine", "-e", "-s", "80", "-r", "us-west-2"]
    ended = snapshot(installed, bin_, aws, "-q", *options, PUBLIC)
    # Then
    assert ended.returncode == 0, ended.stdout
    (made,) = snapshots(aws)
    assert ended.stdout == f"{made['SnapshotId']}\n"
    assert (made["VolumeSize"], made["Encrypted"]) == (80, True)
    (instance,) = aws.client("ec2").describe_instances()["Reservations"][0]["Instances"]
    assert instance["InstanceType"] == "m5.xlarge"
    assert [one["RoleName"] for one in iam.list_roles()["Roles"]] == ["mine"]
    iam.remove_role_from_instance_profile(InstanceProfileName="mine-profile", RoleName="mine")
    iam.delete_instance_profile(InstanceProfileName="mine-profile")
    iam.delete_role(RoleName="mine")


def test_the_standard_variant_works_in_the_default_vpc_or_in_the_stacks_own(
    installed: Path, bin_: Path, aws: Aws
) -> None:
    # Given
    assert "nvidia" not in BOTTLEROCKET
    ec2 = aws.client("ec2")
    default = {one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]}
    # When
    first = snapshot(installed, bin_, aws, PUBLIC)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    own, other = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"] for number in range(2)
    )
    ec2.create_tags(Resources=[own], Tags=[{"Key": "karpenter.sh/discovery", "Value": "sdoneksStack"}])
    ec2.create_tags(Resources=[other], Tags=[{"Key": "karpenter.sh/discovery", "Value": "otherStack"}])
    second = snapshot(installed, bin_, aws, PUBLIC)
    named = snapshot(installed, bin_, aws, "--subnet", other, PUBLIC)
    # Then
    assert [one.returncode for one in (first, second, named)] == [0, 0, 0], first.stdout
    reservations = sorted(ec2.describe_instances()["Reservations"], key=lambda one: one["Instances"][0]["LaunchTime"])
    used = [one["Instances"][0].get("SubnetId") for one in reservations]
    assert used[0] in default
    assert used[1:] == [own, other]


def test_without_any_network_it_asks_for_a_subnet(installed: Path, bin_: Path, aws: Aws) -> None:
    # Given an account whose default VPC was deleted
    ec2 = aws.client("ec2")
    for one in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=one["SubnetId"])
    # When
    ended = snapshot(installed, bin_, aws, PUBLIC)
    # Then
    assert ended.returncode == 1
    assert "us-west-2 has neither the stack sdoneksStack nor a default VPC" in ended.stdout
    assert "--subnet subnet-" in ended.stdout


def test_a_failed_pull_fails_the_run(installed: Path, bin_: Path, aws: Aws) -> None:
    # Given
    aws.ssm.broken = "sdwebui"
    # When
    ended = snapshot(installed, bin_, aws, f"{PUBLIC},{PRIVATE}")
    # Then
    assert ended.returncode == 1
    assert f"error: {PRIVATE} cannot be pulled (Failed): not found" in ended.stdout
    assert "--user AWS:… " in ended.stdout
    assert snapshots(aws) == []


def test_ctrl_c_leaves_nothing_behind(installed: Path, bin_: Path, aws: Aws) -> None:
    # Given
    aws.ssm.online = False
    with subprocess.Popen(
        [str(installed / SCRIPT), PUBLIC],
        env={**aws.environment, "PATH": str(bin_), "HOME": str(installed)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any("starts" in line for line in process.stdout)
        # When
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=LIMIT)
    # Then
    assert process.returncode == 130
    assert "Nothing of this run stays behind" in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["busybox"], "'busybox' is not the full name of an image"),
        (["x.io/a; reboot"], "is not the full name of an image"),
        ([","], "no image is named"),
        (["-a", "/none", PUBLIC], "there is no SSM parameter /none in us-west-2"),
        (["--subnet", "subnet-1", PUBLIC], "there is no subnet subnet-1 in us-west-2"),
        (["-R", "none", PUBLIC], "no instance profile carries the role none"),
        (["-s", "1", PUBLIC], "must be 5 to 16384 GiB, got '1'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(
    words: list[str], said: str, installed: Path, bin_: Path, aws: Aws
) -> None:
    ended = snapshot(installed, bin_, aws, *words)
    assert ended.returncode in {1, 2}
    assert said in ended.stdout
