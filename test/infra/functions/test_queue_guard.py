"""The guard: which updates of the stack it refuses, and how CloudFormation hears of it."""

import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from infra.functions.queue_guard import handle, objection
from test.infra.functions.conftest import CloudFormation

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@pytest.fixture
def sqs() -> "SQSClient":
    return boto3.client("sqs")


def a_queue(sqs: "SQSClient", tasks: int = 0) -> str:
    url = sqs.create_queue(QueueName=f"sdoneks_{uuid.uuid4().hex}")["QueueUrl"]
    for number in range(tasks):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    return url


def update(old: list[str], new: list[str]) -> dict[str, Any]:
    return {
        "RequestType": "Update",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Queues",
        "PhysicalResourceId": "guard",
        "OldResourceProperties": {"Queues": old},
        "ResourceProperties": {"Queues": new},
    }


def test_an_update_that_would_delete_a_queue_with_tasks_is_refused(sqs: "SQSClient") -> None:
    # Given
    empty, full, kept = a_queue(sqs), a_queue(sqs, tasks=3), a_queue(sqs, tasks=5)

    # When
    reason = objection(update([empty, full, kept], [kept]), sqs)

    # Then
    assert reason is not None
    assert f"{full.rsplit('/', 1)[1]} (3)" in reason
    assert empty.rsplit("/", 1)[1] not in reason
    assert kept.rsplit("/", 1)[1] not in reason


def test_a_task_that_an_agent_works_on_counts(sqs: "SQSClient") -> None:
    # Given
    queue = a_queue(sqs, tasks=1)
    sqs.receive_message(QueueUrl=queue, VisibilityTimeout=600)

    # Then
    assert objection(update([queue], []), sqs)


def test_an_update_that_deletes_empty_queues_goes_on(sqs: "SQSClient") -> None:
    # Given
    kept, empty = a_queue(sqs, tasks=2), a_queue(sqs)

    # Then
    assert objection(update([kept, empty], [kept, a_queue(sqs)]), sqs) is None


def test_a_queue_that_is_gone_already_is_no_objection(sqs: "SQSClient") -> None:
    # Given
    queue = a_queue(sqs, tasks=1)
    sqs.delete_queue(QueueUrl=queue)

    # Then
    assert objection(update([queue], []), sqs) is None


@pytest.mark.parametrize("kind", ["Create", "Delete"])
def test_making_and_deleting_the_stack_are_never_refused(sqs: "SQSClient", kind: str) -> None:
    # Given
    event = {**update([], [a_queue(sqs, tasks=1)]), "RequestType": kind}

    # Then
    assert objection(event, sqs) is None


def test_cloudformation_is_told_that_the_change_may_go_on(sqs: "SQSClient", cloudformation: CloudFormation) -> None:
    # Given a first request, which names no resource yet
    event = {**update([], []), "RequestType": "Create", "ResponseURL": cloudformation.url}
    del event["PhysicalResourceId"]

    # When
    handle(event, SimpleNamespace(log_stream_name="stream"))

    # Then
    assert cloudformation.answers == [
        {
            "Status": "SUCCESS",
            "Reason": "",
            "PhysicalResourceId": "stream",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Queues",
        }
    ]


def test_cloudformation_is_told_why_the_change_must_not_go_on(sqs: "SQSClient", cloudformation: CloudFormation) -> None:
    # Given
    event = {**update([a_queue(sqs, tasks=1)], []), "ResponseURL": cloudformation.url}

    # When
    handle(event, SimpleNamespace(log_stream_name="stream"))

    # Then
    (answer,) = cloudformation.answers
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "guard")
    assert "still hold tasks" in answer["Reason"]


def test_queues_that_cannot_be_checked_stop_the_change(
    sqs: "SQSClient", cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    event = {**update(["http://127.0.0.1:1/123456789012/sdoneks_sd"], []), "ResponseURL": cloudformation.url}

    # When
    handle(event, SimpleNamespace(log_stream_name="stream"))

    # Then
    (answer,) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("the question cannot be answered: ")
