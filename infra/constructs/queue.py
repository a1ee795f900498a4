"""SQS queues: made from their plan, and subscribed to topics."""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.acceptance import accept
from infra.queues import Queue


def make_queue(
    scope: Construct, construct_id: str, plan: Queue, dead_letters: sqs.DeadLetterQueue | None = None
) -> sqs.Queue:
    """An encrypted queue. One without dead letters is one for dead letters itself."""
    made = sqs.Queue(
        scope,
        construct_id,
        queue_name=plan.name,
        visibility_timeout=cdk.Duration.seconds(plan.visibility),
        retention_period=cdk.Duration.seconds(plan.retention),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        dead_letter_queue=dead_letters,
    )
    if dead_letters is None:
        accept(made, "This is where dead letters end.", "AwsSolutions-SQS3")
    return made


def guard(scope: Construct, construct_id: str, queues: Sequence[sqs.Queue], topic: sns.ITopic) -> None:
    """The queues take what ``topic`` delivers, and speak TLS only. One policy for all of them: a queue's policy speaks
    of no other queue, so ``*`` is this one."""
    sqs.CfnQueuePolicy(
        scope,
        construct_id,
        queues=[queue.queue_url for queue in queues],
        policy_document=iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal("sns.amazonaws.com")],
                    actions=["sqs:SendMessage"],
                    resources=["*"],
                    conditions={"ArnEquals": {"aws:SourceArn": topic.topic_arn}},
                ),
                iam.PolicyStatement(
                    effect=iam.Effect.DENY,
                    principals=[iam.AnyPrincipal()],
                    actions=["sqs:*"],
                    resources=["*"],
                    conditions={"Bool": {"aws:SecureTransport": "false"}},
                ),
            ]
        ),
    )


def subscribe(
    scope: Construct,
    construct_id: str,
    *,
    topic: sns.ITopic,
    queue: sqs.IQueue,
    filter_policy: Mapping[str, Any],
    undelivered: sqs.IQueue,
) -> None:
    """``queue`` takes what matches ``filter_policy``; ``undelivered`` takes what SNS could not deliver to it."""
    sns.CfnSubscription(
        scope,
        construct_id,
        topic_arn=topic.topic_arn,
        protocol="sqs",
        endpoint=queue.queue_arn,
        raw_message_delivery=True,
        filter_policy=dict(filter_policy),
        filter_policy_scope="MessageAttributes",
        redrive_policy={"deadLetterTargetArn": undelivered.queue_arn},
    )
