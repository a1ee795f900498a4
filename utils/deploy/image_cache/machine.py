"""A Bottlerocket instance that lives for as long as images are pulled onto its data volume."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from utils.deploy.account import CLIENT, Account
from utils.deploy.console import DeployError, say, uninterrupted, warn

if TYPE_CHECKING:
    from types_boto3_ec2.literals import InstanceTypeType
    from types_boto3_ec2.type_defs import EbsBlockDeviceTypeDef

DATA_DEVICE = "/dev/xvdb"
"""Where Bottlerocket keeps images. The system's own volume is /dev/xvda."""

NAME = "sd-on-eks-image-cache"
"""Begins the names of what is made, and is its Name tag, so that leftovers can be found."""

USER_DATA = "[settings.host-containers.admin]\nenabled = true\n"
"""The admin container reaches the host's containerd. No cluster is named, so the instance joins none."""

POLICIES = ("AmazonSSMManagedInstanceCore", "AmazonEC2ContainerRegistryReadOnly")

POLL_SECONDS = 3.0
START_SECONDS = 600.0
STOP_SECONDS = 300.0
ROLE_SECONDS = 60.0
"""A new instance profile is known to EC2 after some seconds."""

VOLUME_THROUGHPUT = 500
VOLUME_IOPS = 6000
"""More than a volume has by itself: unpacking is what takes the time. It costs cents for these minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``image_id`` an AMI, ``size`` of the data volume in GiB; ``profile`` an instance profile, or None to make one."""

    image_id: str
    instance_type: str
    subnet: str
    size: int
    profile: str | None = None
    encrypt: bool = False
    kms_id: str | None = None
    poll: float = POLL_SECONDS


@contextmanager
def machine(account: Account, plan: Plan) -> Iterator[str]:
    """The id of an instance that Systems Manager reaches. Instance, volumes and role are gone afterwards in any case.

    Raises DeployError when it does not come up.
    """
    with ExitStack() as stack:
        profile = plan.profile or stack.enter_context(_profile(account))
        instance = stack.enter_context(_instance(account, plan, profile))
        ssm = account.session.client("ssm", config=CLIENT)

        def online() -> bool:
            response = ssm.describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [instance]}])
            return any(one.get("PingStatus") == "Online" for one in response["InstanceInformationList"])

        wait(
            online,
            START_SECONDS,
            plan.poll,
            f"the instance {instance} does not report to Systems Manager",
            f"The subnet {plan.subnet} needs a way to the internet (--subnet names another); the role needs "
            "AmazonSSMManagedInstanceCore.",
        )
        yield instance


def stop(account: Account, instance: str, poll: float) -> str:
    """Stop the instance, so that all is on its disks. Returns the id of its data volume."""
    ec2 = account.session.client("ec2", config=CLIENT)
    ec2.stop_instances(InstanceIds=[instance])

    def stopped() -> bool:
        response = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return response["State"]["Name"] == "stopped"

    wait(stopped, STOP_SECONDS, poll, f"the instance {instance} does not stop")
    response = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return next(one["Ebs"]["VolumeId"] for one in response["BlockDeviceMappings"] if one["DeviceName"] == DATA_DEVICE)


def wait(done: Callable[[], bool], seconds: float, poll: float, problem: str, *fixes: str) -> None:
    """Ask until ``done``. Raises DeployError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise DeployError(f"{problem} within {seconds:g} s", *(fixes or ("Run the same command again.",)))
        time.sleep(poll)


@contextmanager
def _profile(account: Account) -> Iterator[str]:
    """A role for the instance, and the instance profile that carries it; both have one name."""
    iam = account.session.client("iam", config=CLIENT)
    name = f"{NAME}-{uuid.uuid4().hex[:8]}"
    policies = [f"arn:{account.partition}:iam::aws:policy/{policy}" for policy in POLICIES]
    say(f"    making the role {name}")
    try:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=_trust(f"ec2.{account.suffix}"))
        for policy in policies:
            iam.attach_role_policy(RoleName=name, PolicyArn=policy)
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        yield name
    finally:
        with uninterrupted():
            what = f"instance profile {name}"
            _remove(what, iam.remove_role_from_instance_profile, InstanceProfileName=name, RoleName=name)
            _remove(what, iam.delete_instance_profile, InstanceProfileName=name)
            for policy in policies:
                _remove(f"role {name}", iam.detach_role_policy, RoleName=name, PolicyArn=policy)
            _remove(f"role {name}", iam.delete_role, RoleName=name)


@contextmanager
def _instance(account: Account, plan: Plan, profile: str) -> Iterator[str]:
    ec2 = account.session.client("ec2", config=CLIENT)
    # The token makes EC2 start one instance, and find it again when a first answer was lost.
    token = uuid.uuid4().hex
    volume: EbsBlockDeviceTypeDef = {
        "VolumeSize": plan.size,
        "VolumeType": "gp3",
        "Throughput": VOLUME_THROUGHPUT,
        "Iops": VOLUME_IOPS,
        "DeleteOnTermination": True,
    }
    if plan.encrypt:
        volume["Encrypted"] = True
    if plan.kms_id:
        volume["KmsKeyId"] = plan.kms_id
    try:
        started: list[str] = []

        def start() -> bool:
            try:
                response = ec2.run_instances(
                    ImageId=plan.image_id,
                    InstanceType=cast("InstanceTypeType", plan.instance_type),
                    MinCount=1,
                    MaxCount=1,
                    SubnetId=plan.subnet,
                    ClientToken=token,
                    IamInstanceProfile={"Name": profile},
                    UserData=USER_DATA,
                    BlockDeviceMappings=[{"DeviceName": DATA_DEVICE, "Ebs": volume}],
                    MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
                    TagSpecifications=[
                        {"ResourceType": kind, "Tags": [{"Key": "Name", "Value": NAME}, {"Key": TOKEN, "Value": token}]}
                        for kind in ("instance", "volume")
                    ],
                )
            except ClientError as error:
                if "Invalid IAM Instance Profile" in str(error):
                    return False
                raise
            started.append(response["Instances"][0]["InstanceId"])
            return True

        wait(start, ROLE_SECONDS, plan.poll, f"EC2 does not know the instance profile {profile}")
        say(f"    instance {started[0]} starts")
        yield started[0]
    finally:
        with uninterrupted():
            for found in _instances_of(ec2, token):
                _remove(f"instance {found}", ec2.terminate_instances, InstanceIds=[found])


TOKEN = f"{NAME}-run"


def _instances_of(ec2: Any, token: str) -> list[str]:
    """Found by their tag: the answer with its id may have been cut off by Ctrl-C."""
    response = ec2.describe_instances(Filters=[{"Name": f"tag:{TOKEN}", "Values": [token]}])
    return [
        one["InstanceId"]
        for reservation in response["Reservations"]
        for one in reservation["Instances"]
        if one["State"]["Name"] != "terminated"
    ]


def _remove(what: str, call: Callable[..., object], **arguments: object) -> None:
    """Clean-up continues when one part of it fails, and names what was left."""
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchEntity", "InvalidInstanceID.NotFound"}:
            warn(f"the {what} could not be removed, remove it by hand: {error}")


def _trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
