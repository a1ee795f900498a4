"""AWS permissions for pods, by EKS Pod Identity: no secret and no annotation."""

from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct


def pod_role(scope: Construct, construct_id: str) -> iam.Role:
    """A role that pods of this account's clusters can be given, without any permission yet."""
    principal = iam.ServicePrincipal("pods.eks.amazonaws.com")
    role = iam.Role(scope, construct_id, assumed_by=principal)
    if role.assume_role_policy:
        role.assume_role_policy.add_statements(iam.PolicyStatement(principals=[principal], actions=["sts:TagSession"]))
    return role


def identity(
    scope: Construct,
    construct_id: str,
    *,
    cluster: eks.ICluster,
    namespace: str,
    service_account: str,
    role: iam.IRole,
) -> eks.CfnPodIdentityAssociation:
    """Give the role to every pod that runs as ``service_account``. Pods that run already do not get it."""
    return eks.CfnPodIdentityAssociation(
        scope,
        construct_id,
        cluster_name=cluster.cluster_name,
        namespace=namespace,
        service_account=service_account,
        role_arn=role.role_arn,
    )
