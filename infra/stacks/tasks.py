"""What carries tasks: the front door, the topics and queues, and the bucket of the results."""

from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3

from contract.object_keys import REQUESTS_PREFIX, UPLOADS_PREFIX
from infra.api_routes import Function as ApiFunction
from infra.config.model import Config
from infra.constructs.api_access import ApiAccess, api_access
from infra.constructs.front_door import FrontDoor
from infra.constructs.function import FunctionSettings
from infra.constructs.image_kit import BuiltImage
from infra.constructs.permission import allow
from infra.constructs.routing import Routing
from infra.constructs.stack_hooks import queue_guard
from infra.constructs.storage import OutputBucket
from infra.constructs.task_table import TaskTable
from infra.constructs.webhooks import WebhookEvents, WebhookSender
from infra.stacks.sync import allow_endpoint, image_kit_function
from infra.topology import Topology, queue_name


@dataclass(frozen=True, slots=True)
class Tasks:
    """``output`` is the bucket of the results."""

    output: s3.Bucket
    table: TaskTable
    routing: Routing
    front_door: FrontDoor
    webhook_events: WebhookEvents
    webhook_sender: WebhookSender


def make_tasks(
    stack: cdk.Stack,
    config: Config,
    topology: Topology,
    settings: FunctionSettings,
    *,
    vpc: ec2.Vpc,
    function_image: BuiltImage | None,
) -> Tasks:
    """Needs no cluster. ``vpc`` is where a private API is reached; ``function_image`` is that of the image kit's
    function, None where the stack does not build it."""
    bucket = OutputBucket(stack, "Output", expiries=topology.expiries, versioned=config.output_versioning).bucket
    table = TaskTable(stack, "TaskTable", plan=topology.task_table)
    routing = Routing(
        stack,
        "Routing",
        topology=topology,
        tracing=config.add_ons.tracing,
        sns_segments=config.partition != "aws-cn",
    )
    functions = (
        {
            ApiFunction.IMAGE_KIT: image_kit_function(
                stack, config, topology, settings, output=bucket, built=function_image
            )
        }
        if topology.sync.image_kit_function
        else {}
    )
    front_door = _front_door(
        stack,
        config,
        topology,
        settings,
        access=api_access(config.apigw, vpc, config.vpc.cidr),
        functions=functions,
        routing=routing,
        output=bucket,
        table=table,
    )
    _guard_queues(stack, config, settings, routing=routing, front_door=front_door)
    events = WebhookEvents(stack, "WebhookEvents", plan=topology.webhooks, output_topic=routing.output_topic)
    sender = _webhook_sender(
        stack, config, topology, settings, events=events, output=bucket, table=table, front_door=front_door
    )
    return Tasks(bucket, table, routing, front_door, events, sender)


def queues_arn(stack: cdk.Stack, name: str) -> str:
    """ARN of the queue called ``name``, or of all that it matches."""
    return f"arn:{cdk.Aws.PARTITION}:sqs:{stack.region}:{stack.account}:{name}"


def _front_door(
    stack: cdk.Stack,
    config: Config,
    topology: Topology,
    settings: FunctionSettings,
    *,
    access: ApiAccess,
    functions: Mapping[ApiFunction, lambda_.IFunction],
    routing: Routing,
    output: s3.Bucket,
    table: TaskTable,
) -> FrontDoor:
    made = FrontDoor(
        stack,
        "FrontDoor",
        plan=topology.api,
        access=access,
        functions=functions,
        environment=lambda key_ids: topology.frontend_environment(
            input_topic_arn=routing.input_topic.topic_arn,
            output_bucket=output.bucket_name,
            queue_url_prefix=f"https://sqs.{stack.region}.{cdk.Aws.URL_SUFFIX}/{stack.account}/"
            f"{queue_name(config.stack_name, '')}",
            key_ids=key_ids,
        ),
        settings=settings,
        reserved_concurrency=config.lambda_.reserved_concurrency,
        tracing=config.add_ons.tracing,
    )
    _allow_tasks(stack, config, made.role, routing=routing, output=output, table=table)
    allow_endpoint(stack, topology, made.role, output=output)
    return made


def _allow_tasks(
    stack: cdk.Stack, config: Config, role: iam.Role, *, routing: Routing, output: s3.Bucket, table: TaskTable
) -> None:
    """What the front door does with tasks, their contents and their outputs."""
    allow(role, ["sns:Publish"], [routing.input_topic.topic_arn])
    allow(
        role,
        [
            "dynamodb:PutItem",
            "dynamodb:GetItem",
            "dynamodb:BatchGetItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:Query",
        ],
        table.arns,
    )
    allow(
        role,
        ["sqs:GetQueueAttributes"],
        [queues_arn(stack, queue_name(config.stack_name, "*"))],
        because="How many tasks wait, for the estimates of every runtime.",
    )
    allow(
        role,
        ["s3:PutObject"],
        [output.arn_for_objects(f"{prefix}/*") for prefix in (REQUESTS_PREFIX, UPLOADS_PREFIX)],
        because="Contents too large for a message, and links to upload files to, each under a name of its own.",
    )
    allow(
        role,
        ["s3:GetObject"],
        [output.arn_for_objects("*")],
        because="Links to the outputs of tasks, whose folders their callers choose.",
    )


def _webhook_sender(
    stack: cdk.Stack,
    config: Config,
    topology: Topology,
    settings: FunctionSettings,
    *,
    events: WebhookEvents,
    output: s3.Bucket,
    table: TaskTable,
    front_door: FrontDoor,
) -> WebhookSender:
    environment = topology.webhooks.environment(
        queue_url=events.queue.queue_url,
        dead_letter_url=events.dead_letters.queue_url,
        output_bucket=output.bucket_name,
        api_url=front_door.url,
    )
    made = WebhookSender(
        stack,
        "WebhookSender",
        plan=topology.webhooks,
        events=events,
        environment={**environment, **topology.task_table_environment()},
        settings=settings,
        tracing=config.add_ons.tracing,
    )
    allow(
        made.role,
        ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"],
        [events.queue.queue_arn],
    )
    allow(made.role, ["sqs:SendMessage"], [events.dead_letters.queue_arn])
    allow(made.role, ["dynamodb:GetItem", "dynamodb:UpdateItem"], [table.table.table_arn])
    allow(
        made.role,
        ["secretsmanager:GetSecretValue"],
        [_secrets_arn(stack, topology.webhooks.secrets)],
        because="The clients' secrets, and nothing else, are in this folder; AWS ends their ARNs with random letters.",
    )
    allow(
        made.role,
        ["s3:GetObject"],
        [output.arn_for_objects("*")],
        because="A webhook's links to results open with this permission; tasks name the folders of their results.",
    )
    return made


def _secrets_arn(stack: cdk.Stack, folder: str) -> str:
    return f"arn:{cdk.Aws.PARTITION}:secretsmanager:{stack.region}:{stack.account}:secret:{folder}/*"


def _guard_queues(
    stack: cdk.Stack, config: Config, settings: FunctionSettings, *, routing: Routing, front_door: FrontDoor
) -> None:
    made = queue_guard(stack, queue_urls=[one.queue.queue_url for one in routing.queues.values()], settings=settings)
    allow(
        made.role,
        ["sqs:GetQueueAttributes"],
        [queues_arn(stack, queue_name(config.stack_name, "*"))],
        because="Also the queues that are no longer in the template.",
    )
    # The front door must have stopped sending before the queues are counted.
    made.resource.node.add_dependency(front_door.function)
