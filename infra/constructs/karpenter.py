"""Karpenter: launches a node when a pod waits for one, and ends it when none needs it."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.config.model import AddOns
from infra.constructs.acceptance import accept
from infra.constructs.karpenter_policy import node_statements, other_statements
from infra.constructs.permission import wildcards
from infra.constructs.pod_identity import identity, pod_role
from infra.constructs.release import controller_release
from infra.versions import KARPENTER, KARPENTER_CRDS

NAMESPACE = "kube-system"
"""Where its makers want it: the API server gives requests from there precedence."""

INTERRUPTIONS = {
    "ScheduledChange": ("aws.health", "AWS Health Event"),
    "SpotInterruption": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
    "Rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
    "InstanceStateChange": ("aws.ec2", "EC2 Instance State-change Notification"),
    "CapacityReservationInterruption": ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
}
"""The events after which a node is drained before AWS takes it."""

RESOURCES = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}
"""Enough for some hundred nodes; the chart itself asks for nothing."""

DNS_POLICY = "Default"
"""The node's name servers instead of the cluster's: without nodes there is no CoreDNS, and Karpenter must launch and
terminate nodes all the same."""

INTERRUPTION_SECONDS = 300
"""A warning older than this is about a node that is gone."""


class Karpenter(Construct):
    """The controller, its permissions, and the queue that warns it. ``ready`` is there when nodes can be had;
    ``rules`` are those of the events in INTERRUPTIONS, by the same names."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cluster: eks.ICluster,
        cluster_name: str,
        node_role: iam.Role,
        replicas: int,
        config: AddOns,
    ) -> None:
        super().__init__(scope, construct_id)
        self.rules: dict[str, events.Rule] = {}
        self.interruptions = self._interruptions()
        role = pod_role(self, "Role")
        policies = self._allow(role, cluster_name, cluster, node_role)
        associated = identity(
            self, "Identity", cluster=cluster, namespace=NAMESPACE, service_account=KARPENTER.name, role=role
        )
        nodes = eks.CfnAccessEntry(
            self,
            "NodeAccess",
            cluster_name=cluster.cluster_name,
            principal_arn=node_role.role_arn,
            type="EC2_LINUX",
        )
        crds = controller_release(
            self, "Crds", cluster=cluster, chart=KARPENTER_CRDS, source=config.karpenter, namespace=NAMESPACE
        )
        self.ready = controller_release(
            self,
            "Chart",
            cluster=cluster,
            chart=KARPENTER,
            source=config.karpenter,
            namespace=NAMESPACE,
            skip_crds=True,
            values={
                "replicas": replicas,
                "dnsPolicy": DNS_POLICY,
                "settings": {"clusterName": cluster_name, "interruptionQueue": self.interruptions.queue_name},
                "serviceAccount": {"name": KARPENTER.name},
                "controller": {"resources": RESOURCES, **_image(config.image_registry)},
            },
        )
        # It must keep its permissions until it is deleted, or it could not end its nodes.
        self.ready.node.add_dependency(crds, associated, nodes, *policies)

    def _interruptions(self) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "Interruptions",
            retention_period=cdk.Duration.seconds(INTERRUPTION_SECONDS),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        accept(queue, "A warning that was not taken in time is of no use any more.", "AwsSolutions-SQS3")
        for name, (source, kind) in INTERRUPTIONS.items():
            self.rules[name] = events.Rule(
                self,
                name,
                event_pattern=events.EventPattern(source=[source], detail_type=[kind]),
                targets=[targets.SqsQueue(queue)],
            )
        return queue

    def _allow(
        self, role: iam.Role, cluster_name: str, cluster: eks.ICluster, node_role: iam.Role
    ) -> list[iam.ManagedPolicy]:
        other = other_statements(
            cluster_name,
            cluster_arn=cluster.cluster_arn,
            node_role_arn=node_role.role_arn,
            queue_arn=self.interruptions.queue_arn,
        )
        return [
            self._policy("NodePolicy", role, node_statements(cluster_name)),
            self._policy("OtherPolicy", role, other),
        ]

    def _policy(self, name: str, role: iam.Role, statements: list[iam.PolicyStatement]) -> iam.ManagedPolicy:
        policy = iam.ManagedPolicy(self, name, roles=[role], statements=statements)
        resources = [resource for statement in statements for resource in statement.resources]
        accept(
            policy,
            "It may make only what it tags as this cluster's, and change only what is tagged so; what it reads has no "
            "narrower resources.",
            *wildcards(policy, sorted(set(resources))),
        )
        return policy


def _image(registry: str | None) -> dict[str, Any]:
    """The chart names the makers' image by its digest, which a copy may not keep."""
    return {"image": {"repository": f"{registry}/karpenter/controller", "digest": ""}} if registry else {}
