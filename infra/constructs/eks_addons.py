"""What AWS itself installs and maintains in the cluster: EKS add-ons."""

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.config.model import AddOns, EksAddon
from infra.constructs.acceptance import accept, policy_of_aws
from infra.constructs.log_group import log_group
from infra.constructs.pod_identity import pod_role
from infra.log_groups import CONTAINER_LOGS, container_log_group
from infra.versions import EKS_ADDONS

ON_EVERY_NODE: tuple[EksAddon, ...] = ("kube-proxy", "eks-pod-identity-agent")
"""With the network plugin, what makes a node ready: the plugin gets its role from the identity agent."""

NETWORK: Mapping[str, Any] = {"enableNetworkPolicy": "true"}
"""So that the chart's network policy, where it is on, is enforced."""

MODELS: Mapping[str, Any] = {"node": {"tolerateAllTaints": True}}
"""Models are wanted on the GPU nodes."""

EVERY_NODE = [{"operator": "Exists"}]
"""Tolerates all taints: logs are wanted of the GPU nodes, too."""


def observability(*, gpu_metrics: bool) -> Mapping[str, Any]:
    """Logs and Container Insights. Application Signals is paid by request, and instruments nothing here.

    The key ``applicationSignals`` needs version 6.2. NVIDIA's exporter is off unless asked for: releases of it exit at
    their start (NVIDIA/dcgm-exporter#612, #636), and a pod that restarts for ever is on every GPU node.
    """
    kubernetes = {"enhanced_container_insights": True, "accelerated_compute_metrics": gpu_metrics}
    return {
        "applicationSignals": {"enabled": False},
        "agent": {"config": {"logs": {"metrics_collected": {"kubernetes": kubernetes}}}},
        "tolerations": EVERY_NODE,
    }


class EksAddons(Construct):
    """The network plugin, DNS, identities, the models' file system, and the logs.

    ``before_nodes`` must be there before the nodes, ``on_nodes`` after them. The parent grants ``model_reader`` the
    models. ``name`` is the cluster's, ``version`` its Kubernetes version.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cluster: eks.ICluster,
        name: str,
        version: str,
        config: AddOns,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self._cluster = cluster
        self._versions = {**EKS_ADDONS.get(version, {}), **dict[str, str](config.eks_versions.items())}
        self.before_nodes = [self._network(), *(self._add(name) for name in ON_EVERY_NODE)]
        self.model_reader = pod_role(self, "ModelReader")
        self.on_nodes = [
            self._add("coredns"),
            self._add("aws-mountpoint-s3-csi-driver", {"s3-csi-driver-sa": self.model_reader}, MODELS),
        ]
        if config.observability:
            self.on_nodes.append(self._observability(name, config, log_retention_days))

    def _network(self) -> eks.CfnAddon:
        role = self._role("NetworkRole", "AmazonEKS_CNI_Policy", "network plugin")
        return self._add("vpc-cni", {"aws-node": role}, NETWORK)

    def _observability(self, cluster: str, config: AddOns, log_retention_days: int) -> eks.CfnAddon:
        """The add-on would make the log groups itself, and keep what they hold for ever."""
        groups = [
            log_group(self, f"Logs-{kind}", retention_days=log_retention_days, name=container_log_group(cluster, kind))
            for kind in CONTAINER_LOGS
        ]
        role = self._role("ObserverRole", "CloudWatchAgentServerPolicy", "agent")
        values = observability(gpu_metrics=config.gpu_metrics)
        addon = self._add("amazon-cloudwatch-observability", {"cloudwatch-agent": role}, values)
        addon.node.add_dependency(*groups)
        return addon

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
