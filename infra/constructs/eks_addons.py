"""What AWS itself installs and mends in the cluster."""

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.config.model import AddOns, EksAddon
from infra.constructs.acceptance import accept, policy_of_aws
from infra.constructs.pod_identity import pod_role

ON_EVERY_NODE: tuple[EksAddon, ...] = ("kube-proxy", "eks-pod-identity-agent")
"""With the network plugin, what makes a node ready: the plugin gets its role from the identity agent."""

NETWORK: Mapping[str, Any] = {"enableNetworkPolicy": "true"}
"""So that the chart's network policy, where it is on, is enforced."""

MODELS: Mapping[str, Any] = {"node": {"tolerateAllTaints": True}}
"""Models are wanted on the GPU nodes."""

EVERY_NODE = [{"operator": "Exists"}]
"""Tolerates all taints: logs are wanted of the GPU nodes, too."""

OBSERVABILITY: Mapping[str, Any] = {"applicationSignals": {"enabled": False}, "tolerations": EVERY_NODE}
"""Logs, Container Insights and GPU metrics. Application Signals is paid by request, and instruments nothing here."""


class EksAddons(Construct):
    """The network plugin, DNS, identities, the models' file system, and the logs.

    ``before_nodes`` must be there before the nodes, ``on_nodes`` after them. The parent grants ``model_reader`` the
    models.
    """

    def __init__(self, scope: Construct, construct_id: str, *, cluster: eks.ICluster, config: AddOns) -> None:
        super().__init__(scope, construct_id)
        self._cluster = cluster
        self._versions = config.eks_versions
        self.before_nodes = [self._network(), *(self._add(name) for name in ON_EVERY_NODE)]
        self.model_reader = pod_role(self, "ModelReader")
        self.on_nodes = [
            self._add("coredns"),
            self._add("aws-mountpoint-s3-csi-driver", {"s3-csi-driver-sa": self.model_reader}, MODELS),
        ]
        if config.observability:
            self.on_nodes.append(self._observability())

    def _network(self) -> eks.CfnAddon:
        role = self._role("NetworkRole", "AmazonEKS_CNI_Policy", "network plugin")
        return self._add("vpc-cni", {"aws-node": role}, NETWORK)

    def _observability(self) -> eks.CfnAddon:
        role = self._role("ObserverRole", "CloudWatchAgentServerPolicy", "agent")
        return self._add("amazon-cloudwatch-observability", {"cloudwatch-agent": role}, OBSERVABILITY)

    def _role(self, construct_id: str, policy: str, whose: str) -> iam.Role:
        role = pod_role(self, construct_id)
        role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(policy))
        accept(role, f"AWS keeps what its {whose} needs up to date in this.", policy_of_aws(policy))
        return role

    def _add(
        self,
        name: EksAddon,
        roles: Mapping[str, iam.Role] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> eks.CfnAddon:
        return eks.CfnAddon(
            self,
            name,
            addon_name=name,
            addon_version=self._versions.get(name),
            cluster_name=self._cluster.cluster_name,
            resolve_conflicts="OVERWRITE",
            configuration_values=json.dumps(values) if values else None,
            pod_identity_associations=[
                eks.CfnAddon.PodIdentityAssociationProperty(service_account=account, role_arn=role.role_arn)
                for account, role in (roles or {}).items()
            ]
            or None,
        )
