"""What sends webhooks, as CloudFormation is told to make it."""

import base64
from typing import Any

from aws_cdk.assertions import Match, Template

from contract.webhook_secret import MIN_KEY_BYTES
from infra.queues import DAY
from infra.webhooks import BATCH_SIZE, FUNCTION_SECONDS, VISIBILITY_SECONDS, webhooks_of
from test.infra.reading import of_type, the_one
from webhook_lambda.schedule import HANDLING, Schedule
from webhook_lambda.settings import REQUIRED, Timings, read


def test_the_function_takes_batches_and_gives_back_what_failed(default: dict[str, Any]) -> None:
    mapping = the_one(default, "AWS::Lambda::EventSourceMapping", "WebhookSender")

    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == BATCH_SIZE
    assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2
    assert mapping["EventSourceArn"].startswith("<WebhookEventsQueue")


def test_its_environment_is_all_that_it_needs(default: dict[str, Any]) -> None:
    function = the_one(default, "AWS::Lambda::Function", "WebhookSender")
    environment = function["Environment"]["Variables"]

    assert environment.keys() >= set(REQUIRED)
    assert not read(environment).allow_loopback
    assert environment["TASKS_URL"].endswith("/v1alpha2/tasks")
    assert "//v1alpha2" not in environment["TASKS_URL"]
    assert function["Timeout"] == FUNCTION_SECONDS
    assert function["Architectures"] == ["arm64"]


def test_ends_of_tasks_with_a_webhook_reach_the_queue(default: dict[str, Any]) -> None:
    subscription = the_one(default, "AWS::SNS::Subscription", "WebhookEvents")

    assert subscription["TopicArn"].startswith("<RoutingCallbacks")
    assert subscription["RawMessageDelivery"] is True
    assert subscription["FilterPolicy"] == {"webhook": [{"exists": True}], "status": [{"anything-but": ["running"]}]}


def test_only_the_output_topic_may_send_by_the_queues_policy_and_with_tls(default: dict[str, Any]) -> None:
    (policy,) = [
        one for name, one in of_type(default, "AWS::SQS::QueuePolicy").items() if name.startswith("WebhookEvents")
    ]
    deliver, refuse = policy["PolicyDocument"]["Statement"]

    assert deliver["Condition"]["ArnEquals"]["aws:SourceArn"].startswith("<RoutingCallbacks")
    assert (refuse["Effect"], refuse["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_each_client_has_a_secret_that_cloudformation_makes_up(default_checks: Template) -> None:
    default_checks.has_resource_properties(
        "AWS::SecretsManager::Secret",
        {
            "Name": "sdoneks/webhooks/default",
            "GenerateSecretString": {
                "PasswordLength": 40,
                "ExcludePunctuation": True,
                "RequireEachIncludedType": False,
            },
            "SecretString": Match.absent(),
        },
    )
    assert len(base64.b64decode("A" * 40)) >= MIN_KEY_BYTES


def test_messages_outlive_their_last_try_and_their_calls() -> None:
    queue = webhooks_of("s", ["default"]).queue
    schedule, timings = Schedule(), Timings()

    assert queue.retention > schedule.window + DAY
    assert timings.total < FUNCTION_SECONDS < VISIBILITY_SECONDS < HANDLING * 2
    assert FUNCTION_SECONDS < HANDLING
    assert queue.max_receives == 1000, "far above the tries of three days"


def test_what_becomes_of_each_webhook_is_counted(default: dict[str, Any]) -> None:
    patterns = [
        (one["FilterPattern"], one["MetricTransformations"][0]["MetricName"])
        for name, one in of_type(default, "AWS::Logs::MetricFilter").items()
        if name.startswith("WebhookSender")
    ]

    assert sorted(patterns, key=lambda pair: pair[1]) == [
        (f'{{ $.action = "deliver_webhook" && $.outcome = "{outcome}" }}', metric)
        for outcome, metric in (
            ("error", "webhook_errors"),
            ("delivered", "webhooks_delivered"),
            ("retried", "webhooks_retried"),
        )
    ]
