"""The whole platform in one stack. Who may do what to whom is decided here, and nowhere else."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as assets
from constructs import Construct, IDependable

from contract.object_keys import REQUESTS_PREFIX
from infra.chart_values import Place, pays_for_throughput
from infra.config.model import Config
from infra.constructs.alarms import Alarms
from infra.constructs.cluster import Cluster, node_role
from infra.constructs.dashboard import Dashboard
from infra.constructs.ebs_throughput_tuner import EbsThroughputTuner
from infra.constructs.eks_addons import EksAddons
from infra.constructs.front_door import FrontDoor
from infra.constructs.karpenter import Karpenter
from infra.constructs.keda import Keda
from infra.constructs.network import Network
from infra.constructs.permission import allow
from infra.constructs.pod_identity import pod_role
from infra.constructs.routing import Routing, RuntimeQueue
from infra.constructs.runtime import Runtime
from infra.constructs.stack_hooks import node_drain, queue_guard
from infra.constructs.storage import OutputBucket
from infra.constructs.telemetry import Telemetry
from infra.observability.collector import ENDPOINT
from infra.topology import Route, dead_letters_name, queue_name, topology_of
from infra.versions import RUNTIME_CHART_FOLDER

DISCOVERY_TAG = "karpenter.sh/discovery"

CLUSTER_SECURITY_GROUP_TAG = "aws:eks:cluster-name"
"""EKS itself tags the one security group that it makes for a cluster."""


class PlatformStack(cdk.Stack):
    """Everything that config.yaml asks for."""

    def __init__(self, scope: Construct, config: Config, *, env: cdk.Environment | None = None) -> None:
        topology = topology_of(config)
        super().__init__(
            scope,
            topology.stack_name,
            env=env,
            description="Asynchronous image generation: queue-driven, on GPU nodes that come and go",
        )
        self._config = config
        self._topology = topology
        self._models = s3.Bucket.from_bucket_arn(self, "Models", config.model_bucket_arn)
        self._output = OutputBucket(self, "Output", expiries=topology.expiries).bucket
        self._routing = Routing(self, "Routing", topology=topology, tracing=config.add_ons.tracing)
        self._front_door = self._make_front_door()
        self._make_queue_guard()
        self._cluster = self._make_cluster()
        self._gpu_node_role = node_role(self, "GpuNodeRole")
        self._make_runtimes(after=[*self._make_addons(), *self._make_controllers()])
        self._make_tuner()
        self._alarms = self._make_alarms() if config.alarms.enabled else None
        self._dashboard = self._make_dashboard() if config.dashboard.enabled else None
        self._write_outputs()

    def _make_front_door(self) -> FrontDoor:
        made = FrontDoor(
            self,
            "FrontDoor",
            plan=self._topology.api,
            environment=self._topology.frontend_environment(
                input_topic_arn=self._routing.input_topic.topic_arn, output_bucket=self._output.bucket_name
            ),
            architecture=self._config.lambda_architecture,
            reserved_concurrency=self._config.lambda_.reserved_concurrency,
            log_retention_days=self._config.log_retention_days,
            tracing=self._config.add_ons.tracing,
        )
        allow(made.role, ["sns:Publish"], [self._routing.input_topic.topic_arn])
        allow(
            made.role,
            ["s3:PutObject"],
            [self._output.arn_for_objects(f"{REQUESTS_PREFIX}/*")],
            because="Contents too large for a message, each under a name of its own.",
        )
        return made

    def _make_queue_guard(self) -> None:
        made = queue_guard(
            self,
            queue_urls=[one.queue.queue_url for one in self._routing.queues.values()],
            architecture=self._config.lambda_architecture,
            log_retention_days=self._config.log_retention_days,
        )
        allow(
            made.role,
            ["sqs:GetQueueAttributes"],
            [self._queue_arn(queue_name(self._config.stack_name, "*"))],
            because="Also the queues that are no longer in the template.",
        )
        # The front door must have stopped sending before the queues are counted.
        made.resource.node.add_dependency(self._front_door.function)

    def _make_cluster(self) -> Cluster:
        name = self._topology.stack_name
        network = Network(self, "Network", config=self._config.vpc, log_retention_days=self._config.log_retention_days)
        for subnet in network.vpc.private_subnets:
            cdk.Tags.of(subnet).add(DISCOVERY_TAG, name)
        return Cluster(
            self,
            "Cluster",
            name=name,
            vpc=network.vpc,
            config=self._config.eks,
            components=self._config.cluster_components,
            log_retention_days=self._config.log_retention_days,
        )

    def _make_addons(self) -> Sequence[IDependable]:
        """What AWS itself installs: some make nodes ready, the others need nodes."""
        made = EksAddons(self, "EksAddons", cluster=self._cluster.cluster, config=self._config.add_ons)
        self._cluster.nodes.node.add_dependency(*made.before_nodes)
        for addon in made.on_nodes:
            addon.node.add_dependency(self._cluster.nodes)
        allow(made.model_reader, ["s3:ListBucket"], [self._models.bucket_arn])
        allow(
            made.model_reader,
            ["s3:GetObject"],
            [self._models.arn_for_objects("*")],
            because="All models of the one bucket.",
        )
        return made.on_nodes

    def _make_controllers(self) -> Sequence[IDependable]:
        """What charts and manifests install."""
        cluster, config = self._cluster.cluster, self._config.add_ons
        karpenter = self._karpenter = Karpenter(
            self,
            "Karpenter",
            cluster=cluster,
            cluster_name=self._topology.stack_name,
            node_role=self._gpu_node_role,
            replicas=min(2, self._config.cluster_components.desired_count),
            config=config,
        )
        keda = Keda(self, "Keda", cluster=cluster, config=config)
        allow(
            keda.role,
            ["sqs:GetQueueAttributes"],
            [self._queue_arn(queue_name(self._config.stack_name, "*"))],
            because="The lengths of this stack's queues, whichever runtimes there are.",
        )
        for release in (karpenter.ready, keda.ready):
            release.node.add_dependency(self._cluster.nodes)
        if config.tracing:
            Telemetry(
                self,
                "Telemetry",
                cluster=cluster,
                registry=config.image_registry,
                log_retention_days=self._config.log_retention_days,
            )
        return keda.ready, self._make_node_drain(karpenter.ready)

    def _make_node_drain(self, karpenter: IDependable) -> IDependable:
        made = node_drain(
            self,
            cluster_name=self._topology.stack_name,
            node_role_name=self._gpu_node_role.role_name,
            architecture=self._config.lambda_architecture,
            log_retention_days=self._config.log_retention_days,
        )
        allow(made.role, ["iam:ListInstanceProfilesForRole"], [self._gpu_node_role.role_arn])
        allow(
            made.role,
            ["ec2:DescribeInstances"],
            ["*"],
            because="EC2 describes the things of an account only, not single ones.",
        )
        made.resource.node.add_dependency(karpenter)
        return made.resource

    def _make_runtimes(self, *, after: Sequence[IDependable]) -> None:
        role = pod_role(self, "AgentRole")
        self._let_agents_work(role)
        chart = assets.Asset(self, "RuntimeChart", path=str(RUNTIME_CHART_FOLDER))
        for route, config in zip(self._topology.routes, self._config.models_runtime, strict=True):
            made = Runtime(
                self,
                f"Runtime-{route.name}",
                cluster=self._cluster.cluster,
                topology=self._topology,
                route=route,
                config=config,
                place=self._place(route, self._routing.queues[route.name]),
                chart=chart,
                agent_role=role,
            )
            made.release.node.add_dependency(*after)

    def _let_agents_work(self, role: iam.Role) -> None:
        """Consume one's own queue, keep the results, tell of them, read inputs.

        One role serves all runtimes, because a stack holds few resources: EKS tags a session with the pod's service
        account, which is named as the runtime, and so is the queue.
        """
        own = "${aws:PrincipalTag/kubernetes-service-account}"
        consume = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
        allow(role, consume, [self._queue_arn(queue_name(self._config.stack_name, own))])
        allow(role, ["sqs:SendMessage"], [self._queue_arn(dead_letters_name(self._config.stack_name, own))])
        allow(role, ["sns:Publish"], [self._routing.output_topic.topic_arn])
        allow(
            role,
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
            [self._output.arn_for_objects("*")],
            because="Tasks name the folders of their results.",
        )
        # Without it S3 answers 403 and not 404 for an object that is not there.
        allow(role, ["s3:ListBucket"], [self._output.bucket_arn])
        if self._config.input_buckets:
            inputs = [f"arn:{cdk.Aws.PARTITION}:s3:::{name}/*" for name in self._config.input_buckets]
            allow(role, ["s3:GetObject"], inputs, because="Tasks name any object of the buckets that the user lists.")

    def _place(self, route: Route, queues: RuntimeQueue) -> Place:
        own_registry = f"{self.account}.dkr.ecr.{self.region}.{cdk.Aws.URL_SUFFIX}"
        return Place(
            region=self.region,
            image_registry=self._config.add_ons.image_registry or own_registry,
            node_role=self._gpu_node_role.role_name,
            security_group_tags={CLUSTER_SECURITY_GROUP_TAG: self._topology.stack_name},
            subnet_tags={DISCOVERY_TAG: self._topology.stack_name},
            service_account=route.name,
            model_bucket=self._models.bucket_name,
            output_bucket=self._output.bucket_name,
            output_topic_arn=self._routing.output_topic.topic_arn,
            queue_url=queues.queue.queue_url,
            dead_letter_queue_url=queues.dead_letters.queue_url,
            telemetry_endpoint=ENDPOINT if self._config.add_ons.tracing else "",
        )

    def _make_tuner(self) -> None:
        """Only where a node's volume is faster than what costs nothing extra."""
        pays = any(pays_for_throughput(runtime.extra_values) for runtime in self._config.models_runtime)
        if pays and self._config.ebs_throughput_tuner.enabled:
            EbsThroughputTuner(
                self,
                "EbsThroughputTuner",
                cluster_name=self._topology.stack_name,
                delay_seconds=self._config.ebs_throughput_tuner.delay_seconds,
                architecture=self._config.lambda_architecture,
                log_retention_days=self._config.log_retention_days,
            )

    def _make_alarms(self) -> Alarms:
        return Alarms(
            self,
            "Alarms",
            topology=self._topology,
            config=self._config.alarms,
            oldest_message_seconds=self._config.oldest_message_seconds,
            function_name=self._front_door.function.function_name,
            agents=self._config.add_ons.tracing,
        )

    def _make_dashboard(self) -> Dashboard:
        return Dashboard(
            self,
            "Dashboard",
            topology=self._topology,
            config=self._config,
            function_name=self._front_door.function.function_name,
            interruption_rules=self._karpenter.rules,
            alarms=self._alarms.arns if self._alarms else (),
        )

    def _write_outputs(self) -> None:
        """Users' scripts read these by their names."""
        key = self._front_door.key.key_id
        outputs = {
            "FrontApiEndpoint": self._front_door.api.url,
            "GetAPIKeyCommand": f"aws apigateway get-api-keys --query 'items[?id==`{key}`].value' "
            f"--include-values --output text --region {self.region}",
            "sdNotificationOutputArn": self._routing.output_topic.topic_arn,
            "OutputS3Bucket": self._output.bucket_name,
            "ConfigCommand": f"aws eks update-kubeconfig --name {self._cluster.cluster.cluster_name} "
            f"--region {self.region} --role-arn {self._cluster.access_role.role_arn}",
        }
        if self._alarms:
            outputs["AlarmsTopicArn"] = self._alarms.topic.topic_arn
        if self._dashboard:
            outputs["DashboardUrl"] = self._dashboard.url
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)

    def _queue_arn(self, name: str) -> str:
        return f"arn:{cdk.Aws.PARTITION}:sqs:{self.region}:{self.account}:{name}"
