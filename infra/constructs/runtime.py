"""One runtime in the cluster: its service account and its chart."""

from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from infra.chart_values import Place, chart_values
from infra.config.model import Runtime as RuntimeConfig
from infra.constructs.pod_identity import identity
from infra.constructs.release import runtime_release
from infra.topology import Route, Topology
from infra.versions import RUNTIME_CHART, runtime_chart_version


class Runtime(Construct):
    """``release`` makes the namespace if need be; ``identity`` gives the pods their role."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cluster: eks.ICluster,
        topology: Topology,
        route: Route,
        config: RuntimeConfig,
        place: Place,
        chart: assets.Asset,
        agent_role: iam.IRole,
    ) -> None:
        super().__init__(scope, construct_id)
        self.identity = identity(
            self,
            "Identity",
            cluster=cluster,
            namespace=route.namespace,
            service_account=place.service_account,
            role=agent_role,
        )
        self.release = runtime_release(
            self,
            "Chart",
            cluster=cluster,
            name=route.name,
            namespace=route.namespace,
            chart=config.chart_repository or chart,
            chart_name=RUNTIME_CHART,
            version=(config.chart_version or runtime_chart_version()) if config.chart_repository else None,
            values=chart_values(topology, route, place, config.extra_values),
        )
        account = eks.KubernetesManifest(
            self,
            "ServiceAccount",
            cluster=cluster,
            overwrite=True,
            prune=False,
            manifest=[
                {
                    "apiVersion": "v1",
                    "kind": "ServiceAccount",
                    "metadata": {"name": place.service_account, "namespace": route.namespace},
                    "automountServiceAccountToken": False,
                }
            ],
        )
        # The release makes the namespace; pods wait for the account, and the account for its role.
        account.node.add_dependency(self.release, self.identity)
