"""What Karpenter may do: what its own CloudFormation for version 1.14 allows, statement by statement.

It may only make what it tags as this cluster's, and only change or delete what is tagged so. In two documents, because
one managed policy holds 6,144 characters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

Conditions = Mapping[str, Mapping[str, Any]]

MADE = ("fleet", "instance", "volume", "network-interface", "launch-template", "spot-instances-request")
"""Kinds of EC2 resources that Karpenter makes."""

NODEPOOL = "karpenter.sh/nodepool"
NODECLASS = "karpenter.k8s.aws/ec2nodeclass"
REGION = "topology.kubernetes.io/region"
CLUSTER = "eks:eks-cluster-name"


def node_statements(cluster: str) -> list[iam.PolicyStatement]:
    """Launching, tagging and ending instances. ``cluster`` is the cluster's literal name: it is part of keys."""
    owned = f"kubernetes.io/cluster/{cluster}"
    asked: Conditions = {
        "StringEquals": {f"aws:RequestTag/{owned}": "owned", f"aws:RequestTag/{CLUSTER}": cluster},
        "StringLike": {f"aws:RequestTag/{NODEPOOL}": "*"},
    }
    ours: Conditions = {
        "StringEquals": {f"aws:ResourceTag/{owned}": "owned"},
        "StringLike": {f"aws:ResourceTag/{NODEPOOL}": "*"},
    }
    return [
        _allow(
            "AllowScopedEC2InstanceAccessActions",
            ["ec2:RunInstances", "ec2:CreateFleet"],
            [
                *(_ec2(kind, account="") for kind in ("image", "snapshot")),
                *(_ec2(kind) for kind in ("security-group", "subnet", "capacity-reservation", "placement-group")),
            ],
        ),
        _allow(
            "AllowScopedEC2LaunchTemplateAccessActions",
            ["ec2:RunInstances", "ec2:CreateFleet"],
            [_ec2("launch-template")],
            ours,
        ),
        _allow(
            "AllowScopedEC2InstanceActionsWithTags",
            ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplate"],
            [_ec2(kind) for kind in MADE],
            asked,
        ),
        _allow(
            "AllowScopedResourceCreationTagging",
            ["ec2:CreateTags"],
            [_ec2(kind) for kind in MADE],
            _and(
                asked, {"StringEquals": {"ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"]}}
            ),
        ),
        _allow(
            "AllowScopedResourceTagging",
            ["ec2:CreateTags"],
            [_ec2("instance")],
            _and(
                ours,
                {
                    "StringEqualsIfExists": {f"aws:RequestTag/{CLUSTER}": cluster},
                    "ForAllValues:StringEquals": {"aws:TagKeys": [CLUSTER, "karpenter.sh/nodeclaim", "Name"]},
                },
            ),
        ),
        _allow(
            "AllowScopedDeletion",
            ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
            [_ec2("instance"), _ec2("launch-template")],
            ours,
        ),
    ]


def other_statements(
    cluster: str, *, cluster_arn: str, node_role_arn: str, queue_arn: str
) -> list[iam.PolicyStatement]:
    """Instance profiles, finding out what there is to launch, and the interruption queue."""
    owned = f"kubernetes.io/cluster/{cluster}"
    asked: Conditions = {
        "StringEquals": {
            f"aws:RequestTag/{owned}": "owned",
            f"aws:RequestTag/{CLUSTER}": cluster,
            f"aws:RequestTag/{REGION}": cdk.Aws.REGION,
        },
        "StringLike": {f"aws:RequestTag/{NODECLASS}": "*"},
    }
    ours: Conditions = {
        "StringEquals": {f"aws:ResourceTag/{owned}": "owned", f"aws:ResourceTag/{REGION}": cdk.Aws.REGION},
        "StringLike": {f"aws:ResourceTag/{NODECLASS}": "*"},
    }
    profiles = [f"arn:{cdk.Aws.PARTITION}:iam::{cdk.Aws.ACCOUNT_ID}:instance-profile/*"]
    return [
        _allow(
            "AllowPassingInstanceRole",
            ["iam:PassRole"],
            [node_role_arn],
            {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]}},
        ),
        _allow("AllowScopedInstanceProfileCreationActions", ["iam:CreateInstanceProfile"], profiles, asked),
        _allow("AllowScopedInstanceProfileTagActions", ["iam:TagInstanceProfile"], profiles, _and(ours, asked)),
        _allow(
            "AllowScopedInstanceProfileActions",
            ["iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile"],
            profiles,
            ours,
        ),
        _allow("AllowInstanceProfileReadActions", ["iam:GetInstanceProfile"], profiles),
        _allow("AllowUnscopedInstanceProfileListAction", ["iam:ListInstanceProfiles"], ["*"]),
        _allow("AllowAPIServerEndpointDiscovery", ["eks:DescribeCluster"], [cluster_arn]),
        _allow(
            "AllowInterruptionQueueActions", ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"], [queue_arn]
        ),
        _allow(
            "AllowRegionalReadActions",
            [
                f"ec2:Describe{what}"
                for what in (
                    "CapacityReservations",
                    "Images",
                    "Instances",
                    "InstanceStatus",
                    "InstanceTypeOfferings",
                    "InstanceTypes",
                    "LaunchTemplates",
                    "PlacementGroups",
                    "SecurityGroups",
                    "SpotPriceHistory",
                    "Subnets",
                )
            ],
            ["*"],
            {"StringEquals": {"aws:RequestedRegion": cdk.Aws.REGION}},
        ),
        _allow(
            "AllowSSMReadActions",
            ["ssm:GetParameter"],
            [f"arn:{cdk.Aws.PARTITION}:ssm:{cdk.Aws.REGION}::parameter/aws/service/*"],
        ),
        _allow("AllowPricingReadActions", ["pricing:GetProducts"], ["*"]),
        _allow(
            "AllowZonalShiftReadActions",
            ["arc-zonal-shift:GetManagedResource"],
            ["*"],
            {"StringEquals": {"arc-zonal-shift:ResourceIdentifier": cluster_arn}},
        ),
    ]


def _allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], conditions: Conditions | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid, actions=list(actions), resources=list(resources), conditions=conditions)


def _ec2(kind: str, *, account: str = "*") -> str:
    return f"arn:{cdk.Aws.PARTITION}:ec2:{cdk.Aws.REGION}:{account}:{kind}/*"


def _and(first: Conditions, second: Conditions) -> Conditions:
    return {operator: {**first.get(operator, {}), **second.get(operator, {})} for operator in {**first, **second}}
