"""What the queue agents may do."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from contract.object_keys import REQUESTS_PREFIX
from infra.config.model import Config
from infra.constructs.permission import allow
from infra.constructs.pod_identity import pod_role
from infra.stacks.tasks import Tasks, queues_arn
from infra.topology import dead_letters_name, queue_name

OWN = "${aws:PrincipalTag/kubernetes-service-account}"
"""EKS tags a session with the pod's service account, which is named as the runtime, and so is the queue. One role
serves all runtimes, because a stack holds few resources, and each agent reaches its own queue only."""


def make_agent_role(stack: cdk.Stack, config: Config, tasks: Tasks) -> iam.Role:
    """Consume one's own queue, store results, publish callbacks, read inputs."""
    role = pod_role(stack, "AgentRole")
    consume = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    allow(role, consume, [queues_arn(stack, queue_name(config.stack_name, OWN))])
    allow(role, ["sqs:SendMessage"], [queues_arn(stack, dead_letters_name(config.stack_name, OWN))])
    allow(role, ["sqs:SendMessage"], [tasks.webhook_events.queue.queue_arn])
    allow(role, ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], [tasks.table.table.table_arn])
    allow(role, ["sns:Publish"], [tasks.routing.output_topic.topic_arn])
    allow(
        role,
        ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
        [tasks.output.arn_for_objects("*")],
        because="Tasks name the folders of their results.",
    )
    # Contents of tasks come from the front door alone.
    requests = tasks.output.arn_for_objects(f"{REQUESTS_PREFIX}/*")
    role.add_to_policy(iam.PolicyStatement(effect=iam.Effect.DENY, actions=["s3:PutObject"], resources=[requests]))
    # Without it S3 answers 403 and not 404 for an object that does not exist.
    allow(role, ["s3:ListBucket"], [tasks.output.bucket_arn])
    if config.input_buckets:
        inputs = [f"arn:{cdk.Aws.PARTITION}:s3:::{name}/*" for name in config.input_buckets]
        allow(role, ["s3:GetObject"], inputs, because="Tasks name any object of the buckets that the user lists.")
    return role
