"""What runs tasks: the network, the cluster, the controllers, and each runtime with its agents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as assets
from constructs import IDependable

from infra.chart_values import ImageReference, Place
from infra.config.model import Config
from infra.constructs.cluster import Cluster, node_role
from infra.constructs.eks_addons import EksAddons
from infra.constructs.function import FunctionSettings
from infra.constructs.karpenter import Karpenter
from infra.constructs.keda import Keda
from infra.constructs.network import Network
from infra.constructs.permission import allow
from infra.constructs.runtime import Runtime
from infra.constructs.stack_hooks import StackHook, node_drain
from infra.constructs.telemetry import Telemetry
from infra.images import AGENT, ImageBuild, names_agent_image, names_runtime_image
from infra.observability.collector import ENDPOINT
from infra.stacks.agent_role import make_agent_role
from infra.stacks.tasks import Tasks, queues_arn
from infra.topology import Route, Topology, queue_name
from infra.versions import RUNTIME_CHART_FOLDER

DISCOVERY_TAG = "karpenter.sh/discovery"

CLUSTER_SECURITY_GROUP_TAG = "aws:eks:cluster-name"
"""EKS itself tags the one security group that it makes for a cluster."""


@dataclass(frozen=True, slots=True)
class Compute:
    """``gpu_node_role`` is that of Karpenter's nodes."""

    cluster: Cluster
    karpenter: Karpenter
    gpu_node_role: iam.Role


def make_compute(
    stack: cdk.Stack,
    config: Config,
    topology: Topology,
    settings: FunctionSettings,
    *,
    network: Network,
    tasks: Tasks,
    builds: Sequence[ImageBuild],
) -> Compute:
    """CloudFormation deletes in the opposite order of making: runtimes go first, then the drain waits for their nodes,
    and what pods and Karpenter need until then goes last."""
    models = s3.Bucket.from_bucket_arn(stack, "Models", config.model_bucket_arn)
    cluster = _cluster(stack, config, topology, network=network)
    gpu_node_role = node_role(stack, "GpuNodeRole")
    addons = _addons(stack, config, topology, cluster=cluster, models=models)
    karpenter = _karpenter(stack, config, topology, cluster=cluster, gpu_node_role=gpu_node_role)
    keda = _keda(stack, config, cluster=cluster)
    drain = _node_drain(stack, topology, settings, gpu_node_role=gpu_node_role)
    agent_role = make_agent_role(stack, config, tasks)
    if config.add_ons.tracing:
        _telemetry(stack, config, cluster)
    runtimes = _runtimes(
        stack,
        config,
        topology,
        cluster=cluster,
        agent_role=agent_role,
        places={
            route.name: _place(
                stack, config, topology, route, tasks=tasks, builds=builds, models=models, gpu_nodes=gpu_node_role
            )
            for route in topology.routes
        },
    )
    needed: list[IDependable] = [karpenter.ready, keda.ready, *addons.on_nodes, agent_role, tasks.routing]
    drain.resource.node.add_dependency(*needed, *(runtime.identity for runtime in runtimes))
    for runtime in runtimes:
        runtime.release.node.add_dependency(drain.resource)
    return Compute(cluster, karpenter, gpu_node_role)


def make_network(stack: cdk.Stack, config: Config, topology: Topology) -> Network:
    """The VPC, in whose private subnets Karpenter finds room for nodes."""
    network = Network(stack, "Network", config=config.vpc, log_retention_days=config.log_retention_days)
    for subnet in network.vpc.private_subnets:
        cdk.Tags.of(subnet).add(DISCOVERY_TAG, topology.stack_name)
    return network


def _cluster(stack: cdk.Stack, config: Config, topology: Topology, *, network: Network) -> Cluster:
    return Cluster(
        stack,
        "Cluster",
        name=topology.stack_name,
        vpc=network.vpc,
        config=config.eks,
        components=config.cluster_components,
        log_retention_days=config.log_retention_days,
    )


def _addons(stack: cdk.Stack, config: Config, topology: Topology, *, cluster: Cluster, models: s3.IBucket) -> EksAddons:
    """What AWS itself installs: some make nodes ready, the others need nodes."""
    made = EksAddons(
        stack,
        "EksAddons",
        cluster=cluster.cluster,
        name=topology.stack_name,
        version=config.eks.version,
        config=config.add_ons,
        log_retention_days=config.log_retention_days,
    )
    cluster.nodes.node.add_dependency(*made.before_nodes)
    for addon in made.on_nodes:
        addon.node.add_dependency(cluster.nodes)
    allow(made.model_reader, ["s3:ListBucket"], [models.bucket_arn])
    allow(made.model_reader, ["s3:GetObject"], [models.arn_for_objects("*")], because="All models of the one bucket.")
    return made


def _karpenter(
    stack: cdk.Stack, config: Config, topology: Topology, *, cluster: Cluster, gpu_node_role: iam.Role
) -> Karpenter:
    made = Karpenter(
        stack,
        "Karpenter",
        cluster=cluster.cluster,
        cluster_name=topology.stack_name,
        node_role=gpu_node_role,
        replicas=min(2, config.cluster_components.desired_count),
        config=config.add_ons,
    )
    made.ready.node.add_dependency(cluster.nodes)
    return made


def _keda(stack: cdk.Stack, config: Config, *, cluster: Cluster) -> Keda:
    made = Keda(stack, "Keda", cluster=cluster.cluster, config=config.add_ons)
    made.ready.node.add_dependency(cluster.nodes)
    allow(
        made.role,
        ["sqs:GetQueueAttributes"],
        [queues_arn(stack, queue_name(config.stack_name, "*"))],
        because="The lengths of this stack's queues, whichever runtimes there are.",
    )
    return made


def _telemetry(stack: cdk.Stack, config: Config, cluster: Cluster) -> Telemetry:
    return Telemetry(
        stack,
        "Telemetry",
        cluster=cluster.cluster,
        registry=config.add_ons.image_registry,
        log_retention_days=config.log_retention_days,
    )


def _node_drain(
    stack: cdk.Stack, topology: Topology, settings: FunctionSettings, *, gpu_node_role: iam.Role
) -> StackHook:
    made = node_drain(
        stack, cluster_name=topology.stack_name, node_role_name=gpu_node_role.role_name, settings=settings
    )
    allow(made.role, ["iam:ListInstanceProfilesForRole"], [gpu_node_role.role_arn])
    allow(
        made.role,
        ["ec2:DescribeInstances"],
        ["*"],
        because="EC2 describes all instances of an account, not single ones.",
    )
    return made


def _runtimes(
    stack: cdk.Stack,
    config: Config,
    topology: Topology,
    *,
    cluster: Cluster,
    agent_role: iam.Role,
    places: Mapping[str, Place],
) -> list[Runtime]:
    chart = assets.Asset(stack, "RuntimeChart", path=str(RUNTIME_CHART_FOLDER))
    return [
        Runtime(
            stack,
            f"Runtime-{route.name}",
            cluster=cluster.cluster,
            topology=topology,
            route=route,
            config=runtime,
            place=places[route.name],
            chart=chart,
            agent_role=agent_role,
        )
        for route, runtime in zip(topology.routes, config.models_runtime, strict=True)
    ]


def _place(
    stack: cdk.Stack,
    config: Config,
    topology: Topology,
    route: Route,
    *,
    tasks: Tasks,
    builds: Sequence[ImageBuild],
    models: s3.IBucket,
    gpu_nodes: iam.Role,
) -> Place:
    own_registry = f"{stack.account}.dkr.ecr.{stack.region}.{cdk.Aws.URL_SUFFIX}"
    queues = tasks.routing.queues[route.name]
    (runtime,) = [one for one in config.models_runtime if one.name == route.name]
    images = {one.name: ImageReference(f"{own_registry}/{one.repository}", one.tag) for one in builds}
    return Place(
        partition=config.partition,
        region=stack.region,
        image_registry=config.add_ons.image_registry or own_registry,
        node_role=gpu_nodes.role_name,
        security_group_tags={CLUSTER_SECURITY_GROUP_TAG: topology.stack_name},
        subnet_tags={DISCOVERY_TAG: topology.stack_name},
        service_account=route.name,
        model_bucket=models.bucket_name,
        output_bucket=tasks.output.bucket_name,
        output_topic_arn=tasks.routing.output_topic.topic_arn,
        queue_url=queues.queue.queue_url,
        dead_letter_queue_url=queues.dead_letters.queue_url,
        webhooks_queue_url=tasks.webhook_events.queue.queue_url,
        telemetry_endpoint=ENDPOINT if config.add_ons.tracing else "",
        agent_image=None if names_agent_image(runtime) else images.get(AGENT),
        runtime_image=None if names_runtime_image(runtime) else images.get(route.type.value),
    )
