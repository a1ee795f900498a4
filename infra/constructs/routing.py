"""How a task gets from the front door to its runtime, and how its callback gets out."""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_xray as xray
from constructs import Construct

from infra.constructs.acceptance import accept
from infra.topology import MAX_RECEIVE_COUNT, Queue, Route, Topology

TOPIC_KEY = "alias/aws/sns"
"""AWS's own key for topics: all who may publish to a topic of the account may use it. It costs nothing a month."""


class RuntimeQueue(Construct):
    """A runtime's queue with its dead letters, and its subscription to the input topic."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        route: Route,
        input_topic: sns.ITopic,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = _queue(self, "DeadLetters", route.dead_letters)
        self.queue = _queue(
            self,
            "Queue",
            route.queue,
            sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=MAX_RECEIVE_COUNT),
        )
        _guard(self, "Policy", [self.queue, self.dead_letters], input_topic)
        sns.CfnSubscription(
            self,
            "Subscription",
            topic_arn=input_topic.topic_arn,
            protocol="sqs",
            endpoint=self.queue.queue_arn,
            raw_message_delivery=True,
            filter_policy=dict(route.filter_policy),
            filter_policy_scope="MessageAttributes",
            redrive_policy={"deadLetterTargetArn": undelivered.queue_arn},
        )


class Routing(Construct):
    """The topics, and a queue for each route. ``queues`` by the runtime's name. ``sns_segments``: whether SNS may be
    allowed to write its own X-Ray segments, which regions in China do not know."""

    def __init__(
        self, scope: Construct, construct_id: str, *, topology: Topology, tracing: bool, sns_segments: bool
    ) -> None:
        super().__init__(scope, construct_id)
        traced = sns.TracingConfig.ACTIVE if tracing else sns.TracingConfig.PASS_THROUGH
        key = kms.Alias.from_alias_name(self, "TopicKey", TOPIC_KEY)
        self.input_topic = _topic(self, "Tasks", topology.input_topic, key, tracing=traced)
        self.output_topic = _topic(
            self, "Callbacks", topology.output_topic, key, tracing=sns.TracingConfig.PASS_THROUGH
        )
        if tracing and sns_segments:
            _let_sns_trace(self, "Tracing", name=topology.input_topic, topic=self.input_topic)
        self.undelivered = _queue(self, "Undelivered", topology.undelivered)
        _guard(self, "Policy", [self.undelivered], self.input_topic)
        self.queues: Mapping[str, RuntimeQueue] = {
            route.name: RuntimeQueue(
                self, route.name, route=route, input_topic=self.input_topic, undelivered=self.undelivered
            )
            for route in topology.routes
        }


def _topic(scope: Construct, construct_id: str, name: str, key: kms.IAlias, *, tracing: sns.TracingConfig) -> sns.Topic:
    return sns.Topic(scope, construct_id, topic_name=name, enforce_ssl=True, master_key=key, tracing_config=tracing)


def _let_sns_trace(scope: Construct, construct_id: str, *, name: str, topic: sns.ITopic) -> None:
    """X-Ray takes segments of SNS only by a policy of its own; without it the topic is missing in every trace."""
    stack = cdk.Stack.of(scope)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": ["xray:PutTraceSegments", "xray:GetSamplingRules", "xray:GetSamplingTargets"],
        "Resource": "*",  # X-Ray has no narrower resources
        "Condition": {
            "StringEquals": {"aws:SourceAccount": stack.account},
            "ArnEquals": {"aws:SourceArn": topic.topic_arn},
        },
    }
    xray.CfnResourcePolicy(
        scope,
        construct_id,
        policy_name=name,
        policy_document=stack.to_json_string({"Version": "2012-10-17", "Statement": [statement]}),
    )


def _queue(
    scope: Construct, construct_id: str, plan: Queue, dead_letters: sqs.DeadLetterQueue | None = None
) -> sqs.Queue:
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


def _guard(scope: Construct, construct_id: str, queues: Sequence[sqs.Queue], topic: sns.ITopic) -> None:
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
