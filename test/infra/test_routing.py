"""Topics, queues and the output bucket, as CloudFormation is told to make them."""

import json
from typing import Any

from aws_cdk.assertions import Match, Template

from infra.config.model import parse_config
from infra.queues import MAX_RECEIVE_COUNT
from infra.topology import LEASE_SECONDS, topology_of
from test.infra.configs import EVERYTHING, THREE
from test.infra.reading import of_type, plain, the_one


def test_each_queue_hears_of_its_own_tasks_only(three: dict[str, Any]) -> None:
    # Given
    topology = topology_of(parse_config(THREE))

    # When
    made = of_type(three, "AWS::SNS::Subscription")
    subscriptions = [one for name, one in made.items() if name.startswith("Routing")]

    # Then
    assert [one["FilterPolicy"] for one in subscriptions] == [route.filter_policy for route in topology.routes]
    for one in subscriptions:
        assert one["Protocol"] == "sqs"
        assert one["RawMessageDelivery"] is True
        assert one["FilterPolicyScope"] == "MessageAttributes"
        assert one["RedrivePolicy"]["deadLetterTargetArn"].startswith("<RoutingUndelivered")


def test_a_queue_waits_as_long_as_a_task_may_take(everything_checks: Template) -> None:
    everything_checks.has_resource_properties(
        "AWS::SQS::Queue",
        {
            "QueueName": "other_sdruntime",
            "VisibilityTimeout": EVERYTHING["taskTimeout"] + LEASE_SECONDS,
            "MessageRetentionPeriod": 14 * 86400,
            "SqsManagedSseEnabled": True,
            "RedrivePolicy": {
                "deadLetterTargetArn": {"Fn::GetAtt": [Match.string_like_regexp("DeadLetters"), "Arn"]},
                "maxReceiveCount": MAX_RECEIVE_COUNT,
            },
        },
    )


def test_queues_take_from_our_topic_and_speak_tls_only(three: dict[str, Any]) -> None:
    # Given
    queues = {f"<{name}>" for name in of_type(three, "AWS::SQS::Queue") if name.startswith("Routing")}

    # When
    policies = [value for name, value in of_type(three, "AWS::SQS::QueuePolicy").items() if name.startswith("Routing")]

    # Then
    assert {queue for policy in policies for queue in policy["Queues"]} == queues
    for policy in policies:
        deliver, refuse = policy["PolicyDocument"]["Statement"]
        assert deliver["Principal"] == {"Service": "sns.amazonaws.com"}
        assert deliver["Action"] == "sqs:SendMessage"
        (topic,) = deliver["Condition"]["ArnEquals"].values()
        assert topic.startswith("<RoutingTasks")
        assert (refuse["Effect"], refuse["Action"]) == ("Deny", "sqs:*")
        assert refuse["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_topics_are_named_traced_and_speak_tls_only(default_checks: Template, default: dict[str, Any]) -> None:
    default_checks.has_resource_properties("AWS::SNS::Topic", {"TopicName": "sdoneks_tasks", "TracingConfig": "Active"})
    default_checks.has_resource_properties("AWS::SNS::Topic", {"TopicName": "sdoneks_callbacks"})
    policies = [one for name, one in of_type(default, "AWS::SNS::TopicPolicy").items() if name.startswith("Routing")]
    assert len(policies) == 2
    for policy in policies:
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_topics_are_encrypted_with_a_key_that_publishers_of_the_account_may_use(default: dict[str, Any]) -> None:
    topics = [one for name, one in of_type(default, "AWS::SNS::Topic").items() if name.startswith("Routing")]

    assert len(topics) == 2
    for topic in topics:
        assert topic["KmsMasterKeyId"].endswith("alias/aws/sns")


def test_sns_may_write_segments_of_the_tasks_topic_where_x_ray_takes_them(
    default: dict[str, Any], everything: dict[str, Any], china: dict[str, Any]
) -> None:
    # When
    policy = the_one(default, "AWS::XRay::ResourcePolicy")

    # Then
    (statement,) = json.loads(policy["PolicyDocument"])["Statement"]
    assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
    assert "xray:PutTraceSegments" in statement["Action"]
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "<AccountId>"}
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"].startswith("<RoutingTasks")
    assert not of_type(everything, "AWS::XRay::ResourcePolicy")
    assert not of_type(china, "AWS::XRay::ResourcePolicy")


def test_versioning_keeps_what_was_deleted_for_a_while(everything: dict[str, Any]) -> None:
    # When
    bucket = the_one(everything, "AWS::S3::Bucket")

    # Then
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (old,) = [one for one in bucket["LifecycleConfiguration"]["Rules"] if "NoncurrentVersionExpiration" in one]
    assert old["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert old["ExpiredObjectDeleteMarker"] is True


def test_the_output_bucket_is_private_encrypted_and_kept(default: dict[str, Any]) -> None:
    # When
    bucket = the_one(default, "AWS::S3::Bucket")

    # Then
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]
    assert "VersioningConfiguration" not in bucket
    assert "BucketName" not in bucket
    (statement,) = the_one(default, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    (resource,) = [one for one in default["Resources"].values() if one["Type"] == "AWS::S3::Bucket"]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_requests_expire_and_results_when_asked(default: dict[str, Any], everything: dict[str, Any]) -> None:
    def expiries(template: dict[str, Any]) -> list[tuple[str | None, int]]:
        rules = the_one(template, "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
        return [(rule.get("Prefix"), rule["ExpirationInDays"]) for rule in rules if "ExpirationInDays" in rule]

    assert expiries(default) == [(".platform/", 15)]
    assert expiries(everything) == [(".platform/", 15), (None, 30)]


def test_users_scripts_find_their_outputs(default: dict[str, Any]) -> None:
    # When
    outputs = default["Outputs"]

    # Then
    assert {
        "FrontApiEndpoint",
        "GetAPIKeyCommand",
        "InputTopicArn",
        "ImageBuildProjects",
        "sdNotificationOutputArn",
        "ConfigCommand",
        "OutputS3Bucket",
        "AlarmsTopicArn",
        "DashboardUrl",
    } == set(outputs)
    assert plain(outputs["InputTopicArn"]["Value"]).startswith("<RoutingTasks")
    assert outputs["ImageBuildProjects"]["Value"] == "sdoneks-queue-agent,sdoneks-sdwebui"
