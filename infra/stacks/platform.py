"""The whole platform in one stack. Who may do what to whom is decided in this folder, and nowhere else."""

import re

import aws_cdk as cdk
from constructs import Construct

from infra.chart_values import pays_for_throughput
from infra.config.api import Auth
from infra.config.model import Config
from infra.constructs.alarms import Alarms
from infra.constructs.dashboard import Dashboard
from infra.constructs.ebs_throughput_tuner import EbsThroughputTuner
from infra.constructs.function import FunctionSettings
from infra.constructs.image_build import ImageBuilds
from infra.constructs.image_kit import BuiltImage, EcrImage
from infra.constructs.permission import allow
from infra.constructs.stack_hooks import image_start, image_wait
from infra.images import FUNCTION, ImageBuild, builds_function_image, image_builds
from infra.stacks.compute import Compute, make_compute, make_network
from infra.stacks.tasks import Tasks, make_tasks
from infra.topology import STACK_DESCRIPTION, Topology, topology_of

INVOKE_URL = "aikitsInvokeURL"
"""Of an output, and the beginning of those for each route."""


class PlatformStack(cdk.Stack):
    """Everything that config.yaml asks for."""

    def __init__(self, scope: Construct, config: Config, *, env: cdk.Environment | None = None) -> None:
        topology = topology_of(config)
        super().__init__(
            scope,
            topology.stack_name,
            env=env,
            description=STACK_DESCRIPTION,
        )
        settings = FunctionSettings(
            architecture=config.lambda_architecture, log_retention_days=config.log_retention_days
        )
        builds = image_builds(config)
        function_image = _build_images(self, config, settings, builds) if builds else None
        network = make_network(self, config, topology)
        tasks = make_tasks(self, config, topology, settings, vpc=network.vpc, function_image=function_image)
        compute = make_compute(self, config, topology, settings, network=network, tasks=tasks, builds=builds)
        _make_tuner(self, config, topology, settings)
        alarms = _make_alarms(self, config, topology, tasks) if config.alarms.enabled else None
        dashboard = (
            _make_dashboard(self, config, topology, tasks=tasks, compute=compute, alarms=alarms)
            if config.dashboard.enabled
            else None
        )
        outputs = _outputs(self, topology, tasks, compute)
        if builds:
            outputs["ImageBuildProjects"] = ",".join(build.project for build in builds)
        if alarms:
            outputs["AlarmsTopicArn"] = alarms.topic.topic_arn
        if dashboard:
            outputs["DashboardUrl"] = dashboard.url
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)


def _build_images(
    stack: cdk.Stack, config: Config, settings: FunctionSettings, builds: tuple[ImageBuild, ...]
) -> BuiltImage | None:
    """Returns the image of the image kit's function, if the stack builds it."""
    made = ImageBuilds(
        stack,
        "Images",
        stack_name=config.stack_name,
        builds=builds,
        config=config.images,
        log_retention_days=config.log_retention_days,
        function=FUNCTION if builds_function_image(config) else None,
    )
    start = image_start(stack, builds=builds, settings=settings)
    allow(start.role, ["codebuild:StartBuild"], [project.attr_arn for project in made.projects.values()])
    start.resource.node.add_dependency(*made.projects.values())
    if not builds_function_image(config):
        return None
    (build,) = [one for one in builds if one.name == FUNCTION]
    wait = image_wait(stack, build=build, settings=settings)
    allow(wait.role, ["ecr:DescribeImages"], [made.repositories[FUNCTION].attr_arn])
    builds_of = ["codebuild:ListBuildsForProject", "codebuild:BatchGetBuilds"]
    allow(wait.role, builds_of, [made.projects[FUNCTION].attr_arn])
    wait.resource.node.add_dependency(start.resource)
    return BuiltImage(EcrImage.built(stack, build), wait.resource)


def _make_tuner(stack: cdk.Stack, config: Config, topology: Topology, settings: FunctionSettings) -> None:
    """Only where a node's volume is faster than what costs nothing extra."""
    pays = any(pays_for_throughput(runtime.extra_values) for runtime in config.models_runtime)
    if pays and config.ebs_throughput_tuner.enabled:
        EbsThroughputTuner(
            stack,
            "EbsThroughputTuner",
            cluster_name=topology.stack_name,
            delay_seconds=config.ebs_throughput_tuner.delay_seconds,
            settings=settings,
        )


def _make_alarms(stack: cdk.Stack, config: Config, topology: Topology, tasks: Tasks) -> Alarms:
    return Alarms(
        stack,
        "Alarms",
        topology=topology,
        config=config.alarms,
        oldest_message_seconds=config.oldest_message_seconds,
        function_name=tasks.front_door.function.function_name,
        webhooks_function_name=tasks.webhook_sender.function.function_name,
        agents=config.add_ons.tracing,
    )


def _make_dashboard(
    stack: cdk.Stack, config: Config, topology: Topology, *, tasks: Tasks, compute: Compute, alarms: Alarms | None
) -> Dashboard:
    return Dashboard(
        stack,
        "Dashboard",
        topology=topology,
        config=config,
        function_name=tasks.front_door.function.function_name,
        interruption_rules=compute.karpenter.rules,
        alarms=alarms.arns if alarms else (),
    )


def _outputs(stack: cdk.Stack, topology: Topology, tasks: Tasks, compute: Compute) -> dict[str, str]:
    """Users' scripts read these by their names."""
    cluster = compute.cluster
    return {
        "FrontApiEndpoint": tasks.front_door.url,
        **_credentials(stack, topology, tasks),
        **_domain(tasks),
        **_invoke_urls(topology, tasks),
        "InputTopicArn": tasks.routing.input_topic.topic_arn,
        "sdNotificationOutputArn": tasks.routing.output_topic.topic_arn,
        "OutputS3Bucket": tasks.output.bucket_name,
        "ConfigCommand": f"aws eks update-kubeconfig --name {cluster.cluster.cluster_name} "
        f"--region {stack.region} --role-arn {cluster.access_role.role_arn}",
    }


def _credentials(stack: cdk.Stack, topology: Topology, tasks: Tasks) -> dict[str, str]:
    """What a caller needs to be let in."""
    api, keys = tasks.front_door.api, {name: key.key_id for name, key in tasks.front_door.keys.items()}
    if topology.api.auth is Auth.AWS_IAM:
        return {"ApiInvokeArn": api.arn_for_execute_api("*", "/*", topology.api.stage)}
    if not keys:
        return {}
    first, *_ = keys.values()
    command = (
        f"aws apigateway get-api-keys --query 'items[?id==`{first}`].value' "
        f"--include-values --output text --region {stack.region}"
    )
    named = {"ApiKeyIds": ",".join(f"{name}={key}" for name, key in keys.items())} if topology.api.named else {}
    return {"GetAPIKeyCommand": command, **named}


def _domain(tasks: Tasks) -> dict[str, str]:
    """What the user's DNS record names."""
    domain = tasks.front_door.domain
    return {"ApiDomainTarget": domain.domain_name_alias_domain_name} if domain else {}


def _invoke_urls(topology: Topology, tasks: Tasks) -> dict[str, str]:
    """Where the synchronous routes are, by the name that clients of the earlier services look for."""
    paths = topology.api.sync_paths
    if not paths:
        return {}
    url = tasks.front_door.url
    each = {f"{INVOKE_URL}{_camel(path)}": f"{url}{path.removeprefix('/')}" for path in paths}
    return {INVOKE_URL: url, **each}


def _camel(path: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", path))
