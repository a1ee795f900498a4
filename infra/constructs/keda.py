"""KEDA: sets the number of a runtime's pods by the length of its queue."""

from typing import Any

from aws_cdk import aws_eks_v2 as eks
from constructs import Construct

from infra.config.model import AddOns
from infra.constructs.pod_identity import identity, pod_role
from infra.constructs.release import controller_release
from infra.versions import KEDA

NAMESPACE = "keda"
OPERATOR = "keda-operator"
"""The operator's service account; ``role`` is granted the queues by the parent."""


class Keda(Construct):
    """The operator. ``ready`` is there when ScaledObjects are understood."""

    def __init__(self, scope: Construct, construct_id: str, *, cluster: eks.ICluster, config: AddOns) -> None:
        super().__init__(scope, construct_id)
        self.role = pod_role(self, "Role")
        associated = identity(
            self, "Identity", cluster=cluster, namespace=NAMESPACE, service_account=OPERATOR, role=self.role
        )
        self.ready = controller_release(
            self,
            "Chart",
            cluster=cluster,
            chart=KEDA,
            source=config.keda,
            namespace=NAMESPACE,
            values={"serviceAccount": {"operator": {"name": OPERATOR}}, **_images(config.image_registry)},
        )
        self.ready.node.add_dependency(associated)


def _images(registry: str | None) -> dict[str, Any]:
    return {"global": {"image": {"registry": registry}}} if registry else {}
