"""The Kubernetes cluster, the nodes its controllers run on, and who may administer it."""

from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk.lambda_layer_kubectl_v35 import KubectlV35Layer
from constructs import Construct

from infra.config.model import ClusterComponents, Eks
from infra.constructs.acceptance import accept, policy_of_aws
from infra.constructs.log_group import log_group
from infra.constructs.permission import allow, wildcards
from infra.log_groups import control_plane_log_group, kubectl_log_group

NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonSSMManagedInstanceCore")
"""AWS's own, the least a node needs; the network plugin and all else have roles of their own (Pod Identity)."""

NODE_DISK_GB = 20

LOGS = {
    "api": eks.ClusterLoggingTypes.API,
    "audit": eks.ClusterLoggingTypes.AUDIT,
    "authenticator": eks.ClusterLoggingTypes.AUTHENTICATOR,
    "controllerManager": eks.ClusterLoggingTypes.CONTROLLER_MANAGER,
    "scheduler": eks.ClusterLoggingTypes.SCHEDULER,
}

PUBLIC_REGISTRY_POLICY = (
    '{"Fn::If":["ClusterKubectlProviderHandlerHasEcrPublic6FE395CA",{"Fn::Join":["",["arn:",{"Ref":"AWS::Partition"},'
    '":iam::aws:policy/AmazonElasticContainerRegistryPublicReadOnly"]]},{"Ref":"AWS::NoValue"}]}'
)
"""Reading public ECR; there is none in China."""

LIBRARY_FINDINGS = (
    policy_of_aws("AmazonEKSClusterPolicy"),
    policy_of_aws("AmazonEC2ContainerRegistryReadOnly"),
    policy_of_aws("service-role/AWSLambdaBasicExecutionRole"),
    policy_of_aws("service-role/AWSLambdaVPCAccessExecutionRole"),
    f"AwsSolutions-IAM4[Policy::{PUBLIC_REGISTRY_POLICY}]",
    *(f"AwsSolutions-IAM5[Action::s3:{action}*]" for action in ("GetBucket", "GetObject", "List")),
    "AwsSolutions-IAM5[Resource::<ClusterKubectlProviderHandler93C0312D.Arn>:*]",
    "AwsSolutions-L1",
)
"""What the rule check finds in the functions that the library makes to run kubectl and helm."""

HOP_LIMIT = 1
"""Instance metadata answers the node itself and no pod."""


class Cluster(Construct):
    """``cluster`` has no node but the components' group; the runtimes' nodes are Karpenter's."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        vpc: ec2.IVpc,
        config: Eks,
        components: ClusterComponents,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self.access_role = iam.Role(
            self,
            "AccessRole",
            assumed_by=_administrators(config.admin_arns),
            description=f"Administers the cluster {name}; taken by the ConfigCommand",
        )
        logs = log_group(self, "Logs", retention_days=log_retention_days, name=control_plane_log_group(name))
        made = eks.Cluster(
            self,
            "Cluster",
            cluster_name=name,
            version=eks.KubernetesVersion.of(config.version),
            vpc=vpc,
            vpc_subnets=[ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)],
            endpoint_access=_endpoint(config.public_access_cidrs),
            default_capacity_type=eks.DefaultCapacityType.NODEGROUP,
            default_capacity=0,
            bootstrap_cluster_creator_admin_permissions=False,
            bootstrap_self_managed_addons=False,
            masters_role=self.access_role,
            output_config_command=False,
            secrets_encryption_key=self._secrets_key() if config.secrets_encryption else None,
            cluster_logging=[LOGS[kind] for kind in config.control_plane_logs] or None,
            kubectl_provider_options=eks.KubectlProviderOptions(kubectl_layer=KubectlV35Layer(self, "Kubectl")),
        )
        # The library's own types say that the class lacks a member of its interface.
        self.cluster = cast("eks.ICluster", made)
        resource = cast("eks.CfnCluster", made.node.default_child)
        resource.add_property_override("UpgradePolicy.SupportType", "STANDARD")
        resource.node.add_dependency(logs)
        allow(self.access_role, ["eks:DescribeCluster"], [self.cluster.cluster_arn])
        self._log_kubectl(made, kubectl_log_group(name), log_retention_days)
        self.nodes = self._nodes(components)
        self._accept_findings(config)

    def _log_kubectl(self, cluster: eks.Cluster, name: str, log_retention_days: int) -> None:
        """The library's functions that run kubectl and helm would each make a log group that is kept for ever."""
        logs = log_group(self, "KubectlLogs", retention_days=log_retention_days, name=name)
        for construct in cluster.node.find_all():
            if isinstance(construct, lambda_.CfnFunction):
                construct.add_property_override("LoggingConfig.LogGroup", logs.log_group_name)
                construct.node.add_dependency(logs)

    def _secrets_key(self) -> kms.Key:
        return kms.Key(
            self,
            "SecretsKey",
            description="Encrypts the secrets of the cluster",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _nodes(self, components: ClusterComponents) -> eks.Nodegroup:
        instance_type = ec2.InstanceType(components.instance_type)
        arm = instance_type.architecture == ec2.InstanceArchitecture.ARM_64
        template = ec2.CfnLaunchTemplate(
            self,
            "NodeTemplate",
            launch_template_data=ec2.CfnLaunchTemplate.LaunchTemplateDataProperty(
                metadata_options=ec2.CfnLaunchTemplate.MetadataOptionsProperty(
                    http_tokens="required", http_put_response_hop_limit=HOP_LIMIT
                ),
                block_device_mappings=[
                    ec2.CfnLaunchTemplate.BlockDeviceMappingProperty(
                        device_name="/dev/xvda",
                        ebs=ec2.CfnLaunchTemplate.EbsProperty(
                            volume_size=NODE_DISK_GB, volume_type="gp3", encrypted=True, delete_on_termination=True
                        ),
                    )
                ],
            ),
        )
        return eks.Nodegroup(
            self,
            "Nodes",
            cluster=self.cluster,
            ami_type=eks.NodegroupAmiType.AL2023_ARM_64_STANDARD
            if arm
            else eks.NodegroupAmiType.AL2023_X86_64_STANDARD,
            instance_types=[instance_type],
            desired_size=components.desired_count,
            min_size=components.desired_count,
            max_size=components.desired_count + 1,
            node_role=node_role(self, "NodeRole"),
            subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            enable_node_auto_repair=True,
            launch_template_spec=eks.LaunchTemplateSpec(id=template.ref, version=template.attr_latest_version_number),
        )

    def _accept_findings(self, config: Eks) -> None:
        stack = cdk.Stack.of(self)
        accept(
            self.cluster,
            "Its address is public so that kubectl works from where the user is; IAM guards it, and "
            "eks.publicAccessCidrs narrows it down.",
            "AwsSolutions-EKS1",
        )
        accept(
            self.cluster,
            "The library's own: the cluster's role, and the functions that run kubectl and helm, which read charts "
            "from the deployment's bucket and from ECR.",
            *LIBRARY_FINDINGS,
            *wildcards(self, [f"arn:{cdk.Aws.PARTITION}:s3:::cdk-hnb659fds-assets-{stack.account}-{stack.region}/*"]),
        )
        if len(config.control_plane_logs) < len(LOGS):
            accept(self.cluster, "eks.controlPlaneLogs leaves some out.", "AwsSolutions-EKS2")


def node_role(scope: Construct, construct_id: str) -> iam.Role:
    """A role for nodes, with no more than a node needs. China's EC2 has another name."""
    role = iam.Role(
        scope,
        construct_id,
        assumed_by=iam.ServicePrincipal(f"ec2.{cdk.Aws.URL_SUFFIX}"),
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(policy) for policy in NODE_POLICIES],
    )
    accept(
        role,
        "AWS keeps what a node needs up to date in these.",
        *(policy_of_aws(policy) for policy in NODE_POLICIES),
    )
    return role


def _administrators(arns: tuple[str, ...]) -> iam.PrincipalBase:
    if not arns:
        return iam.AccountRootPrincipal()
    return iam.CompositePrincipal(*(iam.ArnPrincipal(arn) for arn in arns))


def _endpoint(cidrs: tuple[str, ...]) -> eks.EndpointAccess:
    both = eks.EndpointAccess.PUBLIC_AND_PRIVATE
    return both.only_from(*cidrs) if cidrs else both
