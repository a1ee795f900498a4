"""Slows down the data volume of a GPU node, which was made fast so that the images load fast.

Beyond 125 MB/s and 3,000 operations a second a gp3 volume costs extra for as long as it is there, and a node needs
that only in its first minutes. Packed alone: it imports nothing but what Lambda brings.
"""

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import InstanceTypeDef

BASE_THROUGHPUT = 125
BASE_IOPS = 3000
"""MB/s and operations a second that every gp3 volume has at no extra cost."""

CLUSTER_TAG = "eks:eks-cluster-name"
NODEPOOL_TAG = "karpenter.sh/nodepool"
"""What Karpenter tags its instances and their volumes with."""

CLIENT_CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """The cluster whose nodes are meant, and the device that holds the images."""

    cluster: str
    device: str


def handle(event: dict[str, Any], _context: object) -> dict[str, str]:
    """Called by the state machine with ``{"instance": "i-…"}``."""
    _LOG.setLevel(logging.INFO)
    settings = Settings(cluster=os.environ["CLUSTER_NAME"], device=os.environ["DATA_DEVICE"])
    outcome = tune(event["instance"], settings, boto3.client("ec2", config=CLIENT_CONFIG))
    _LOG.info("tuned", extra={"instance": event["instance"], "outcome": outcome})
    return {"instance": event["instance"], "outcome": outcome}


def tune(instance_id: str, settings: Settings, ec2: "EC2Client") -> str:
    """Slow the data volume down, and say what was done: ``gone``, ``not ours``, ``no data volume``, ``not faster`` or
    ``slowed down``.

    Raises botocore's errors when AWS refuses or does not answer, for the state machine to try again.
    """
    instance = _find(instance_id, ec2)
    if instance is None:
        return "gone"
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    if tags.get(CLUSTER_TAG) != settings.cluster or NODEPOOL_TAG not in tags:
        return "not ours"
    volume_id = _volume_at(settings.device, instance)
    if volume_id is None:
        return "no data volume"
    volume = ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    if volume.get("Throughput", 0) <= BASE_THROUGHPUT and volume.get("Iops", 0) <= BASE_IOPS:
        return "not faster"
    ec2.modify_volume(VolumeId=volume_id, Throughput=BASE_THROUGHPUT, Iops=BASE_IOPS)
    return "slowed down"


def _find(instance_id: str, ec2: "EC2Client") -> "InstanceTypeDef | None":
    try:
        reservations = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidInstanceID.NotFound":
            return None
        raise
    instances = [instance for reservation in reservations for instance in reservation["Instances"]]
    return next((one for one in instances if one["State"]["Name"] == "running"), None)


def _volume_at(device: str, instance: "InstanceTypeDef") -> str | None:
    mappings = instance.get("BlockDeviceMappings", [])
    return next((one["Ebs"]["VolumeId"] for one in mappings if one["DeviceName"] == device and "Ebs" in one), None)
