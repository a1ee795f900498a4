"""What sends webhooks: a queue of tasks' events, a secret for each client, and the function that signs and sends."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from contract.webhook_secret import SECRET_CHARACTERS
from infra.constructs.acceptance import accept
from infra.constructs.function import Function, FunctionProps, FunctionSettings, packaged
from infra.constructs.queue import guard, make_queue, subscribe
from infra.observability.metrics import WEBHOOK_OUTCOMES
from infra.packaging import WEBHOOKS
from infra.webhooks import BATCH_SIZE, CONCURRENCY, FUNCTION_SECONDS
from infra.webhooks import Webhooks as Plan

HANDLER = "webhook_lambda.handler.handle"

MEMORY_MB = 512
"""CPU comes with memory: importing and TLS take most of a call."""


class WebhookEvents(Construct):
    """The queue and its dead letters, subscribed to the output topic. Agents send to ``queue``, too."""

    def __init__(self, scope: Construct, construct_id: str, *, plan: Plan, output_topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = make_queue(self, "DeadLetters", plan.dead_letters)
        self.queue = make_queue(
            self,
            "Queue",
            plan.queue,
            sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=plan.queue.max_receives),
        )
        guard(self, "Policy", [self.queue, self.dead_letters], output_topic)
        subscribe(
            self,
            "Subscription",
            topic=output_topic,
            queue=self.queue,
            filter_policy=plan.filter_policy,
            undelivered=self.dead_letters,
        )


class WebhookSender(Construct):
    """The function, and the clients' secrets. ``role`` is granted nothing here."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        plan: Plan,
        events: WebhookEvents,
        environment: Mapping[str, str],
        settings: FunctionSettings,
        tracing: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        for client, name in plan.secret_names.items():
            self._make_secret(client, name)
        made = Function(
            self,
            "Handler",
            FunctionProps(
                code=packaged(self, WEBHOOKS, settings.architecture),
                handler=HANDLER,
                description="Signs tasks' events and sends them to their webhooks",
                settings=settings,
                timeout=cdk.Duration.seconds(FUNCTION_SECONDS),
                memory_mb=MEMORY_MB,
                environment=environment,
                tracing=tracing,
            ),
        )
        self.function = made.function
        self.role = made.role
        self._count(made.logs)
        self.source = lambda_.CfnEventSourceMapping(
            self,
            "Source",
            function_name=made.function.function_name,
            event_source_arn=events.queue.queue_arn,
            batch_size=BATCH_SIZE,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(maximum_concurrency=CONCURRENCY),
        )
        # Lambda checks the role when the mapping is made.
        self.source.node.add_dependency(made.role)

    def _make_secret(self, client: str, name: str) -> None:
        secret = secretsmanager.Secret(
            self,
            f"Secret-{client}",
            secret_name=name,
            description=f"Signs the webhooks of the client {client}",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=SECRET_CHARACTERS, exclude_punctuation=True, require_each_included_type=False
            ),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        accept(
            secret,
            "Receivers hold it, too: a rotation is theirs to plan (sdoneks ops webhook-secret).",
            "AwsSolutions-SMG4",
        )

    def _count(self, log_group: logs.ILogGroup) -> None:
        """The function's lines as metrics: what became of each message."""
        for outcome, metric in WEBHOOK_OUTCOMES.items():
            logs.CfnMetricFilter(
                self,
                f"Count-{outcome}",
                log_group_name=log_group.log_group_name,
                filter_pattern=f'{{ $.action = "deliver_webhook" && $.outcome = "{outcome}" }}',
                metric_transformations=[
                    logs.CfnMetricFilter.MetricTransformationProperty(
                        metric_namespace=cdk.Stack.of(self).stack_name,
                        metric_name=metric,
                        metric_value="1",
                        unit="Count",
                    )
                ],
            )
