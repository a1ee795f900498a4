"""How a task gets from the front door to its runtime, and how its callback gets out."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_xray as xray
from constructs import Construct

from infra.constructs.queue import guard, make_queue, subscribe
from infra.topology import Route, Topology

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
        self.dead_letters = make_queue(self, "DeadLetters", route.dead_letters)
        self.queue = make_queue(
            self,
            "Queue",
            route.queue,
            sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=route.queue.max_receives),
        )
        guard(self, "Policy", [self.queue, self.dead_letters], input_topic)
        subscribe(
            self,
            "Subscription",
            topic=input_topic,
            queue=self.queue,
            filter_policy=route.filter_policy,
            undelivered=undelivered,
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
        self.undelivered = make_queue(self, "Undelivered", topology.undelivered)
        guard(self, "Policy", [self.undelivered], self.input_topic)
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
