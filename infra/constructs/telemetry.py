"""The collector in the cluster, and what it may write."""

import aws_cdk as cdk
from aws_cdk import aws_eks_v2 as eks
from constructs import Construct

from infra.constructs.log_group import log_group
from infra.constructs.permission import allow
from infra.constructs.pod_identity import identity, pod_role
from infra.observability.collector import NAME, NAMESPACE, collector_objects, namespace_object


class Telemetry(Construct):
    """Traces go to X-Ray; metrics go through a log group of their own to CloudWatch, under the stack's name."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cluster: eks.ICluster,
        registry: str | None,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        logs = log_group(self, "Metrics", retention_days=log_retention_days)
        role = pod_role(self, "Role")
        associated = identity(self, "Identity", cluster=cluster, namespace=NAMESPACE, service_account=NAME, role=role)
        allow(role, ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], [logs.log_group_arn])
        allow(
            role,
            ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
            ["*"],
            because="X-Ray takes segments for the whole account only.",
        )
        objects = collector_objects(
            region=stack.region,
            metrics_namespace=stack.stack_name,
            log_group=logs.log_group_name,
            registry=registry,
        )
        self.manifest = eks.KubernetesManifest(
            self,
            "Objects",
            cluster=cluster,
            manifest=[namespace_object(), *objects],
            overwrite=True,
            prune=False,
        )
        self.manifest.node.add_dependency(associated)
