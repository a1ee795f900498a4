"""Holds the deletion of the stack until Karpenter has ended the nodes that it launched.

CloudFormation deletes the runtimes, and with them what asks for nodes; Karpenter then ends the nodes. If it were
deleted right after the runtimes, instances would stay and be paid for, and role and network could not be deleted.
"""

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .answer import answer

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_iam import IAMClient

CLIENT_CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})

PAUSE = 15
"""Seconds between two looks."""

TIME_TO_ANSWER = 60
"""Seconds of the function's time that are kept for a last look and the answer."""

THERE = ["pending", "running", "shutting-down", "stopping", "stopped"]


def handle(event: dict[str, Any], context: Any) -> None:
    """Called by CloudFormation as a custom resource."""
    drain = Drain(
        cluster=os.environ["CLUSTER_NAME"],
        role=os.environ["NODE_ROLE"],
        ec2=boto3.client("ec2", config=CLIENT_CONFIG),
        iam=boto3.client("iam", config=CLIENT_CONFIG),
    )
    seconds = context.get_remaining_time_in_millis() / 1000 - TIME_TO_ANSWER
    answer(event, context, lambda: drain.objection(event, seconds=seconds, pause=PAUSE))


@dataclass(frozen=True)
class Drain:
    """Looks for what Karpenter made for ``cluster``, whose nodes have ``role`` (its name)."""

    cluster: str
    role: str
    ec2: "EC2Client"
    iam: "IAMClient"

    def objection(self, event: dict[str, Any], *, seconds: float, pause: float) -> str | None:
        """Wait for up to ``seconds`` until nothing is left; why the deletion must not go on, or None.

        Raises botocore's errors when AWS does not tell what there is.
        """
        if event["RequestType"] != "Delete":
            return None
        deadline = time.monotonic() + seconds
        while left := [*self._nodes(), *self._profiles()]:
            if time.monotonic() + pause > deadline:
                return (
                    f"Karpenter has not ended these nodes and instance profiles of {self.cluster} yet: "
                    f"{', '.join(left)}. Tasks may still run on them; delete the stack again in a while, or delete "
                    "these yourself."
                )
            time.sleep(pause)
        return None

    def _nodes(self) -> list[str]:
        pages = self.ec2.get_paginator("describe_instances").paginate(
            Filters=[
                {"Name": "tag:eks:eks-cluster-name", "Values": [self.cluster]},
                {"Name": "tag-key", "Values": ["karpenter.sh/nodepool"]},
                {"Name": "instance-state-name", "Values": THERE},
            ]
        )
        return [
            instance["InstanceId"]
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        ]

    def _profiles(self) -> list[str]:
        pages = self.iam.get_paginator("list_instance_profiles_for_role").paginate(RoleName=self.role)
        return [profile["InstanceProfileName"] for page in pages for profile in page["InstanceProfiles"]]
